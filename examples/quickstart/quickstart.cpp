// SPDX-License-Identifier: MIT
#include <action_triggers/action_triggers.hpp>
#include <iostream>

namespace at = action_triggers;

int main() {
  at::DispatcherOptions options;
  options.on_failure = [](const at::DeliveryReport& report) { std::cerr << report << '\n'; };  // or nobody is told
  at::TriggerDispatcher dispatcher(at::load_config("brokers.json"), options);

  // In a hook: say what happened, or name a broker yourself. Both copy, queue and return.
  at::Emission event = dispatcher.emit("order.paid", R"({"id": 42, "total": 99.90})");
  dispatcher.fire("order_events", at::Message{.body = R"({"id": 42})", .key = "order-42"});

  for (const at::DeliveryReport& report : event.wait()) {  // only where the outcome matters
    std::cout << report.broker << ": " << report.status << '\n';
  }
}  // what is still under way gets five seconds to arrive
