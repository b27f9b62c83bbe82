// SPDX-License-Identifier: MIT
// Loads the configuration that a command is given, and prints its problems.
#include "cli/load.hpp"

#include <unistd.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "action_triggers/broker_registry.hpp"
#include "base/suggestion.hpp"
#include "cli/output.hpp"
#include "config/problem_line.hpp"
#include "config/read_file.hpp"

namespace action_triggers::cli {

std::string name_of(const std::string& file) { return file == "-" ? "standard input" : file; }

Names names_in(const Config& config) {
  Names names;
  for (const auto& [name, broker] : config.brokers) names.insert(name);
  return names;
}

Loaded read_config(const std::string& file, const ConfigOptions& options) {
  const detail::FileContent content =
      file == "-" ? detail::read_descriptor(STDIN_FILENO, /*patience_ms=*/-1) : detail::read_file(file);
  if (!content.bytes) {
    return {std::nullopt, ConfigError(file, {{.text = "The file cannot be read: " + content.why + "."}}), content.why};
  }
  try {
    return {parse_config(*content.bytes, BrokerRegistry::builtin(), options), std::nullopt, {}, *content.bytes};
  } catch (const ConfigError& error) {
    return {std::nullopt, error};
  }
}

ExitCode exit_code_of(const Loaded& loaded) {
  return loaded.unreadable.empty() ? ExitCode::failure : ExitCode::wrong_usage;
}

void print_problems(const std::string& file, const Loaded& loaded, std::ostream& out) {
  if (!loaded.unreadable.empty()) {
    out << name_of(file) << ": cannot be read: " << loaded.unreadable << '\n';
    return;
  }
  const auto& problems = loaded.error->problems();
  for (const ConfigProblem& problem : problems) {
    out << detail::problem_line(name_of(file), "error", problem) << '\n';
  }
  out << name_of(file) << ": " << problems.size() << (problems.size() == 1 ? " problem\n" : " problems\n");
}

void print_problems(const std::string& file, const Loaded& loaded) {
  print_problems(file, loaded, loaded.unreadable.empty() ? std::cout : std::cerr);
}

LoadedConfig load(const std::string& file, bool json) {
  Loaded loaded = read_config(file);
  if (loaded.config) return {std::move(loaded.config), ExitCode::success, std::move(loaded.text)};
  if (json) {
    std::cout << dump(to_json(*loaded.error)) << '\n';
  } else {
    print_problems(file, loaded);
  }
  return {std::nullopt, exit_code_of(loaded)};
}

void report_no_broker(const std::string& files, const std::string& name, const Names& known) {
  std::cerr << files << ": there is no broker '" << name << "'. " << detail::suggestion(name, known) << '\n';
}

}  // namespace action_triggers::cli
