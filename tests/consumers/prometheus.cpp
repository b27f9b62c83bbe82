// SPDX-License-Identifier: MIT
// An application that shows its numbers with prometheus-cpp, and ours among them. Prints its port, then what
// prometheus_text() says, and serves until its standard input ends.
#include <prometheus/exposer.h>

#include <cstdio>
#include <iostream>
#include <memory>

#include <action_triggers/action_triggers.hpp>
#include <action_triggers/prometheus_cpp.hpp>

namespace at = action_triggers;

int main() {
  at::TriggerDispatcher dispatcher(at::parse_config(R"({"brokers": {"orders \"new\"": {"broker_type": "memory"}}})"));
  const auto numbers = std::make_shared<at::PrometheusCollectable>(dispatcher);
  prometheus::Exposer exposer("127.0.0.1:0", 1);
  exposer.RegisterCollectable(numbers);
  for (int i = 0; i < 3; ++i) dispatcher.fire("orders \"new\"", "x").wait();
  std::cout << exposer.GetListeningPorts().at(0) << '\n'
            << at::prometheus_text(dispatcher.stats()) << '\n'
            << std::flush;
  while (std::getchar() != EOF) {
  }
}
