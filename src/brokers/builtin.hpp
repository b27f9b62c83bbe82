#pragma once

#include "action_triggers/broker_registry.hpp"

namespace action_triggers::detail {

/// Adds every backend of this build.
void add_builtin(BrokerRegistry& registry);

}  // namespace action_triggers::detail
