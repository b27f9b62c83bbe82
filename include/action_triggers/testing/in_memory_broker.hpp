// SPDX-License-Identifier: MIT
/// The former place of InMemoryBroker, kept for one release: include memory.hpp instead.
#pragma once

#include "action_triggers/memory.hpp"

namespace action_triggers::testing {

using action_triggers::InMemoryBroker;

}  // namespace action_triggers::testing
