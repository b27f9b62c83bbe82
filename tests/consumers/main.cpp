// SPDX-License-Identifier: MIT
// What an application does, compiled against the library as a user gets it.
#include <action_triggers/action_triggers.hpp>
#include <chrono>
#include <exception>
#include <iostream>

namespace at = action_triggers;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  if (argc > 1) {  // a configuration: what is wrong with it?
    try {
      at::TriggerDispatcher dispatcher(at::parse_config(argv[1]));
    } catch (const std::exception& error) {
      std::cerr << error.what() << '\n';
      return 1;
    }
    return 0;
  }
  at::TriggerDispatcher dispatcher(at::parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}}})"));
  at::Delivery delivery =
      dispatcher.fire("orders", at::Message{.body = "…", .key = "customer-7", .headers = {{"tenant", "a"}}});
  const at::DeliveryReport& report = delivery.wait();
  if (!report.status.ok() || at::InMemoryBroker::named()->messages("orders").size() != 1) {
    std::cerr << report.status << '\n';
    return 1;
  }
  try {
    static_cast<void>(at::parse_config("{"));
    return 1;
  } catch (const at::ConfigError& error) {  // crosses the library's boundary
    std::cout << error.what() << '\n';
  }
  return dispatcher.close(5s).complete() ? 0 : 1;
}
