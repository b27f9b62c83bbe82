// SPDX-License-Identifier: MIT
// Adds one entry to the stream "orders". Usage: PROGRAM brokers.json
#include <action_triggers/action_triggers.hpp>
#include <exception>
#include <iostream>

#include "redis_streams.hpp"

namespace at = action_triggers;

int main(int argc, char** argv) {
  try {
    const at::BrokerRegistry registry = at::BrokerRegistry::builtin().add(redis_streams_type());
    at::TriggerDispatcher dispatcher(at::load_config(argc > 1 ? argv[1] : "brokers.json", registry), registry);
    const at::DeliveryReport report = dispatcher.fire("orders", {.body = R"({"id": 42})", .key = "order-42"}).wait();
    std::cout << report << '\n';
    return report.status.ok() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
