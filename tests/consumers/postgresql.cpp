// SPDX-License-Identifier: MIT
// Links action_triggers::postgresql, and needs no server for it.
#include <action_triggers/action_triggers.hpp>
#include <action_triggers/postgresql.hpp>
#include <iostream>
#include <stdexcept>
#include <string>

int main() {
  namespace at = action_triggers;
  try {
    at::TriggerDispatcher without(at::parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}}})"));
    const at::PgOutbox outbox(without);
    std::cerr << "there is an outbox that is not configured\n";
    return 1;
  } catch (const std::invalid_argument& error) {
    std::cout << error.what() << '\n';
  }
  try {
    at::TriggerDispatcher dispatcher(at::parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}},
        "outbox": {"type": "postgresql", "conninfo": "host=127.0.0.1 port=1"}})"));
    const at::PgOutbox outbox(dispatcher);
    std::cerr << "there is an outbox without a server\n";
    return 1;
  } catch (const std::runtime_error& error) {
    std::cout << error.what() << '\n';
    return std::string(error.what()).find("refused") == std::string::npos ? 1 : 0;
  }
}
