// SPDX-License-Identifier: MIT
// Prints the JSON schema of configurations.
#include <iostream>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config_schema.hpp"
#include "cli/commands.hpp"

namespace action_triggers::cli {

ExitCode schema() {
  std::cout << config_schema(BrokerRegistry::builtin()) << '\n';
  return ExitCode::success;
}

}  // namespace action_triggers::cli
