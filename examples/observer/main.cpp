// SPDX-License-Identifier: MIT
// Saves orders. Usage: PROGRAM brokers.json
#include <action_triggers/action_triggers.hpp>
#include <exception>
#include <iostream>

#include "messages.hpp"
#include "model.hpp"

namespace at = action_triggers;

int main(int argc, char** argv) {
  try {
    at::DispatcherOptions options;
    options.on_failure = [](const at::DeliveryReport& report) { std::cerr << report << '\n'; };
    at::TriggerDispatcher dispatcher(at::load_config(argc > 1 ? argv[1] : "brokers.json"), std::move(options));
    shop::send_events_of_orders(dispatcher);

    shop::Order order(42, "Ann", 99.5);
    order.save();
    order.pay();
    order.save();
    return dispatcher.close().complete() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
