// SPDX-License-Identifier: MIT
// action-triggers check: reports what is wrong with a file, or what is in it.
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "cli/commands.hpp"
#include "cli/load.hpp"
#include "cli/output.hpp"
#include "config/problem_line.hpp"

namespace action_triggers::cli {

ExitCode check(const CheckOptions& options) {
  const auto [config, exit_code] = load(options.file, options.json);
  if (!config) return exit_code;
  std::set<std::pair<std::string, std::string>> connections;
  for (const auto& [name, broker] : config->brokers) connections.emplace(broker->broker_type, broker->connection_key);
  if (options.json) {
    nlohmann::json warnings = nlohmann::json::array();
    for (const ConfigProblem& warning : config->warnings) warnings.push_back(to_json(warning));
    nlohmann::json brokers = nlohmann::json::array();
    for (const auto& [name, broker] : config->brokers) {
      brokers.push_back({{"name", name}, {"type", broker->broker_type}});
    }
    std::cout << dump({{"ok", true},
                       {"problems", nlohmann::json::array()},
                       {"warnings", warnings},
                       {"brokers", brokers},
                       {"connections", connections.size()}})
              << '\n';
    return ExitCode::success;
  }
  for (const ConfigProblem& warning : config->warnings) {
    std::cout << detail::problem_line(options.file, "warning", warning) << '\n';
  }
  std::cout << options.file << ": " << config->brokers.size()
            << (config->brokers.size() == 1 ? " broker, " : " brokers, ") << connections.size()
            << (connections.size() == 1 ? " connection" : " connections") << ", no problems\n";
  return ExitCode::success;
}

}  // namespace action_triggers::cli
