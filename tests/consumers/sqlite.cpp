// SPDX-License-Identifier: MIT
// Links action_triggers::sqlite.
#include <action_triggers/action_triggers.hpp>
#include <action_triggers/sqlite.hpp>
#include <iostream>
#include <stdexcept>
#include <string>

int main() {
  namespace at = action_triggers;
  try {
    at::TriggerDispatcher without(at::parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}}})"));
    const at::SqliteOutbox outbox(without);
    std::cerr << "there is an outbox that is not configured\n";
    return 1;
  } catch (const std::invalid_argument& error) {
    std::cout << error.what() << '\n';
  }
  try {
    at::TriggerDispatcher dispatcher(at::parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}},
        "outbox": {"type": "sqlite", "path": "no_such.db"}})"));
    const at::SqliteOutbox outbox(dispatcher);
    std::cerr << "there is an outbox without a file\n";
    return 1;
  } catch (const std::runtime_error& error) {
    std::cout << error.what() << '\n';
    return std::string(error.what()).find("There is no database") == std::string::npos ? 1 : 0;
  }
}
