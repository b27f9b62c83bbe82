#include <iostream>
#include <set>

#include "cli/commands.hpp"
#include "cli/output.hpp"

namespace action_triggers::cli {

int check(const CheckOptions& options) {
  int exit_status = all_well;
  const std::optional<Config> config = load(options.file, options.json, exit_status);
  if (!config) return exit_status;
  std::set<std::pair<std::string, std::string>> connections;
  for (const auto& [name, broker] : config->brokers) connections.emplace(broker->broker_type, broker->connection_key);
  if (options.json) {
    nlohmann::json warnings = nlohmann::json::array();
    for (const ConfigProblem& warning : config->warnings) warnings.push_back(to_json(warning));
    nlohmann::json brokers = nlohmann::json::array();
    for (const auto& [name, broker] : config->brokers)
      brokers.push_back({{"name", name}, {"type", broker->broker_type}});
    std::cout << dump({{"ok", true},
                       {"problems", nlohmann::json::array()},
                       {"warnings", warnings},
                       {"brokers", brokers},
                       {"connections", connections.size()}})
              << '\n';
    return exit_status;
  }
  for (const ConfigProblem& warning : config->warnings) std::cout << line_of(options.file, "warning", warning) << '\n';
  std::cout << options.file << ": " << config->brokers.size()
            << (config->brokers.size() == 1 ? " broker, " : " brokers, ") << connections.size()
            << (connections.size() == 1 ? " connection" : " connections") << ", no problems\n";
  return exit_status;
}

}  // namespace action_triggers::cli
