// SPDX-License-Identifier: MIT
// Loads the configuration that a command is given, and prints its problems.
#include "cli/load.hpp"

#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "config/problem_line.hpp"
#include "config/read_file.hpp"

namespace action_triggers::cli {
namespace {

void print_problems(const std::string& file, const ConfigError& error, bool json) {
  if (json) {
    nlohmann::json problems = nlohmann::json::array();
    for (const ConfigProblem& problem : error.problems()) problems.push_back(to_json(problem));
    std::cout << dump({{"ok", false}, {"problems", problems}, {"errors", nlohmann::json::parse(error.to_json())}})
              << '\n';
    return;
  }
  for (const ConfigProblem& problem : error.problems()) {
    std::cout << detail::problem_line(file, "error", problem) << '\n';
  }
  std::cout << file << ": " << error.problems().size() << (error.problems().size() == 1 ? " problem\n" : " problems\n");
}

}  // namespace

Loaded load(const std::string& file, bool json) {
  const std::optional<std::string> text = detail::read_file(file);
  if (!text) {
    std::cerr << file << ": cannot be read\n";
    return {std::nullopt, ExitCode::wrong_usage};
  }
  try {
    return {parse_config(*text), ExitCode::success};
  } catch (const ConfigError& error) {
    print_problems(file, error, json);
    return {std::nullopt, ExitCode::failure};
  }
}

}  // namespace action_triggers::cli
