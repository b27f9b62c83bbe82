#include "cli/output.hpp"

#include <array>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "cli/commands.hpp"

namespace action_triggers::cli {

std::string dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string line_of(const std::string& file, const char* severity, const ConfigProblem& problem) {
  std::string line = file;
  if (problem.line > 0) line += ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column);
  line += std::string(": ") + severity + ": ";
  std::string path;
  for (const std::string& part : {problem.broker, problem.section, problem.key}) {
    if (!part.empty()) path += (path.empty() ? "" : ".") + part;
  }
  return line + (path.empty() ? "" : path + ": ") + problem.text;
}

nlohmann::json to_json(const ConfigProblem& problem) {
  return {{"broker", problem.broker}, {"section", problem.section}, {"key", problem.key},  {"pointer", problem.pointer},
          {"line", problem.line},     {"column", problem.column},   {"text", problem.text}};
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

std::optional<Config> load(const std::string& file, bool json, int& exit_status) {
  std::ifstream in(file);
  static_cast<void>(in.peek());  // a folder opens, but does not read
  if (!in.is_open() || in.bad()) {
    std::cerr << file << ": cannot be read\n";
    exit_status = wrong_usage;
    return std::nullopt;
  }
  try {
    return load_config(file);
  } catch (const ConfigError& error) {
    exit_status = not_succeeded;
    if (json) {
      nlohmann::json problems = nlohmann::json::array();
      for (const ConfigProblem& problem : error.problems()) problems.push_back(to_json(problem));
      std::cout << dump({{"ok", false}, {"problems", problems}, {"errors", nlohmann::json::parse(error.to_json())}})
                << '\n';
    } else {
      for (const ConfigProblem& problem : error.problems()) std::cout << line_of(file, "error", problem) << '\n';
      std::cout << file << ": " << error.problems().size()
                << (error.problems().size() == 1 ? " problem\n" : " problems\n");
    }
  }
  return std::nullopt;
}

}  // namespace action_triggers::cli
