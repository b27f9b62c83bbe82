// SPDX-License-Identifier: MIT
#include <action_triggers/action_triggers.hpp>
#include <iostream>

namespace at = action_triggers;

int main() {
  at::TriggerDispatcher dispatcher(at::load_config("brokers.json"));

  dispatcher.fire("order_mails", R"({"order": 42})");  // in a hook: copies, queues, returns
  at::Delivery event = dispatcher.fire("order_events", at::Message{.body = R"({"order": 42})", .key = "order-42"});

  const at::DeliveryReport& report = event.wait();  // only where the outcome matters
  std::cout << report.broker << ": " << report.status << '\n';
}  // what is still under way gets five seconds to arrive
