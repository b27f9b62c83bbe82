// SPDX-License-Identifier: MIT
// Results as JSON and as text.
#include "cli/output.hpp"

#include <array>
#include <cstdio>
#include <iostream>
#include <utility>

#include "cli/load.hpp"

namespace action_triggers::cli {

std::string dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void print_json(const std::vector<std::string>& files, nlohmann::json results, ExitCode exit_code) {
  if (files.size() == 1) {
    std::cout << dump(results.front()) << '\n';
    return;
  }
  for (std::size_t i = 0; i < files.size(); ++i) results[i]["file"] = name_of(files[i]);
  std::cout << dump({{"ok", exit_code == ExitCode::success}, {"files", std::move(results)}}) << '\n';
}

nlohmann::json to_json(const ConfigProblem& problem) {
  nlohmann::json json{{"broker", problem.broker},   {"section", problem.section}, {"key", problem.key},
                      {"pointer", problem.pointer}, {"line", problem.line},       {"column", problem.column},
                      {"text", problem.text}};
  if (!problem.hint.empty()) json["hint"] = problem.hint;
  return json;
}

nlohmann::json to_json(const ConfigError& error) {
  nlohmann::json problems = nlohmann::json::array();
  for (const ConfigProblem& problem : error.problems()) problems.push_back(to_json(problem));
  return {{"ok", false}, {"problems", problems}, {"errors", nlohmann::json::parse(error.to_json())}};
}

nlohmann::json to_json(const DeliveryReport& report) {
  nlohmann::json json{{"broker", report.broker},
                      {"status", to_string(report.status.code())},
                      {"message", report.status.message()},
                      {"persistence", to_string(report.persistence)},
                      {"attempts", report.attempts},
                      {"latency_ms", std::chrono::duration<double, std::milli>(report.latency).count()},
                      {"message_id", report.message_id}};
  if (report.offset >= 0) {
    json["partition"] = report.partition;
    json["offset"] = report.offset;
  }
  return json;
}

std::string milliseconds_text(std::chrono::nanoseconds time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f ms", std::chrono::duration<double, std::milli>(time).count());
  return text.data();
}

}  // namespace action_triggers::cli
