// SPDX-License-Identifier: MIT
#include <action_triggers/action_triggers.hpp>

int main() {
  action_triggers::TriggerDispatcher dispatcher(
      action_triggers::parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}}})"));
  return dispatcher.fire("orders", "paid").wait().status.ok() ? 0 : 1;
}
