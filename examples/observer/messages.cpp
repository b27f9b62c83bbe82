// SPDX-License-Identifier: MIT
#include "messages.hpp"

#include <action_triggers/json.hpp>

#include "model.hpp"

namespace at = action_triggers;

namespace shop {
namespace {

/// What consumers are told: chosen here, and not whatever members the class has.
nlohmann::json json_of(const Order& order) {
  return {{"id", order.id()},
          {"customer", order.customer()},
          {"total", order.total()},
          {"paid", order.state() == Order::State::paid}};
}

}  // namespace

void send_events_of_orders(at::TriggerDispatcher& dispatcher) {
  Order::saved.connect([&dispatcher](const Order& order, bool is_new) {
    // Returns at once: saving waits for no broker. What cannot be delivered is on_failure's (see main.cpp).
    dispatcher.emit(is_new ? "order.created" : "order.updated",
                    at::json_message(json_of(order), std::to_string(order.id())));
  });
}

}  // namespace shop
