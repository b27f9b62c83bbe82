// SPDX-License-Identifier: MIT
/// A ConfigProblem as one line of text. Inline, since the command line tool needs it too and sees the library's public
/// symbols only.
#pragma once

#include <string>
#include <string_view>

#include "action_triggers/config.hpp"

namespace action_triggers::detail {

/// `source:line:column: severity: broker.section.key: text`, without the parts that are empty.
inline std::string problem_line(std::string_view source, std::string_view severity, const ConfigProblem& problem) {
  std::string line(source);
  if (problem.line > 0) {
    line += (line.empty() ? "" : ":") + std::to_string(problem.line) + ":" + std::to_string(problem.column);
  }
  if (!line.empty()) line += ": ";
  if (!severity.empty()) line += std::string(severity) + ": ";
  std::string path;
  for (const std::string* part : {&problem.broker, &problem.section, &problem.key}) {
    if (!part->empty()) path += (path.empty() ? "" : ".") + *part;
  }
  return line + path + (path.empty() ? "" : ": ") + problem.text;
}

}  // namespace action_triggers::detail
