// SPDX-License-Identifier: MIT
/// The one place where the model and messages meet: an observer that makes events of what is saved.
#pragma once

#include <action_triggers/trigger_dispatcher.hpp>

namespace shop {

/// From now on each order that is saved is an event. The dispatcher outlives the last save.
void send_events_of_orders(action_triggers::TriggerDispatcher& dispatcher);

}  // namespace shop
