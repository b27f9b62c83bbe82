// SPDX-License-Identifier: MIT
/// A broker that survives any end of its client, and says what it was given: it appends each message to a file before
/// it confirms it.
#pragma once

#include "action_triggers/broker_registry.hpp"

namespace action_triggers::tests {

/// The built-in broker types, and `appending`: `conn_details.path` is the file, whose folder has to be there; a line is
/// id, key and body with tabs between them. A body that begins with `dead` is refused for good, and one that begins
/// with `poison` ends the process by SIGKILL.
BrokerRegistry registry_with_appending();

}  // namespace action_triggers::tests
