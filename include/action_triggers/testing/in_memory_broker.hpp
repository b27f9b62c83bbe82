/// The in-process broker with scripted faults, under the name that tests look for.
#pragma once

#include "action_triggers/memory_broker.hpp"

namespace action_triggers::testing {

using action_triggers::InMemoryBroker;

}  // namespace action_triggers::testing
