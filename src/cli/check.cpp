// SPDX-License-Identifier: MIT
// action-triggers check: reports what is wrong with files, or what is in them.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "cli/commands.hpp"
#include "cli/load.hpp"
#include "cli/output.hpp"
#include "config/problem_line.hpp"
#include "dispatch/lane_key.hpp"
#include "triggers/trigger_config.hpp"

namespace action_triggers::cli {
namespace {

/// How many connections its destinations will share.
std::size_t connections(const Config& config) {
  std::set<std::string> keys;
  for (const auto& [name, broker] : config.brokers) keys.insert(detail::lane_key(*broker));
  if (const auto* const triggers = config.section<detail::TriggersConfig>()) {
    for (const auto& broker : triggers->derived) keys.insert(detail::lane_key(*broker));
  }
  return keys.size();
}

std::size_t triggers(const Config& config) {
  const auto* const section = config.section<detail::TriggersConfig>();
  return section == nullptr ? 0 : section->triggers.size();
}

nlohmann::json json_of(const Loaded& loaded) {
  if (!loaded.config) return to_json(*loaded.error);
  nlohmann::json warnings = nlohmann::json::array();
  for (const ConfigProblem& warning : loaded.config->warnings) warnings.push_back(to_json(warning));
  nlohmann::json brokers = nlohmann::json::array();
  for (const auto& [name, broker] : loaded.config->brokers) {
    brokers.push_back({{"name", name}, {"type", broker->broker_type}});
  }
  return {{"ok", true},         {"problems", nlohmann::json::array()},        {"warnings", warnings},
          {"brokers", brokers}, {"connections", connections(*loaded.config)}, {"triggers", triggers(*loaded.config)}};
}

std::string counted(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

void print(const std::string& file, const Config& config) {
  for (const ConfigProblem& warning : config.warnings) {
    std::cout << detail::problem_line(name_of(file), "warning", warning) << '\n';
  }
  std::cout << name_of(file) << ": " << counted(config.brokers.size(), "broker") << ", "
            << counted(connections(config), "connection") << ", "
            << (triggers(config) == 0 ? "" : counted(triggers(config), "trigger") + ", ")
            << (config.warnings.empty() ? "no problems" : counted(config.warnings.size(), "warning")) << '\n';
}

}  // namespace

ExitCode check(const CheckOptions& options) {
  ExitCode worst = ExitCode::success;
  nlohmann::json all = nlohmann::json::array();
  for (const std::string& file : options.files) {
    const Loaded loaded = read_config(file, {.allow_unknown = options.allow_unknown});
    if (!loaded.config) worst = std::max(worst, exit_code_of(loaded));
    if (options.json) {
      all.push_back(json_of(loaded));
    } else if (loaded.config) {
      print(file, *loaded.config);
    } else {
      print_problems(file, loaded);
    }
  }
  if (options.json) print_json(options.files, std::move(all), worst);
  return worst;
}

}  // namespace action_triggers::cli
