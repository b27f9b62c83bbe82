// SPDX-License-Identifier: MIT
/// A ConfigProblem as one line of text. Inline, since the command line tool needs it too and sees the library's public
/// symbols only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "action_triggers/config.hpp"

namespace action_triggers::detail {

/// The text with control characters, which a terminal might obey, as \u001b.
inline std::string printable(std::string_view text) {
  const auto escape = [](unsigned code) {
    constexpr std::string_view digits = "0123456789abcdef";
    return std::string("\\u00") + digits[code >> 4U] + digits[code & 15U];
  };
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if (byte < 0x20 || byte == 0x7F) {
      result += escape(byte);
    } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {  // U+0080 to U+009F
      result += escape(next);
      ++i;
    } else {
      result += text[i];
    }
  }
  return result;
}

/// `source:line:column: severity: broker.section.key: text hint`, without the parts that are empty.
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
  const std::string text = problem.text + (problem.hint.empty() ? "" : " ") + problem.hint;
  return line + printable(path + (path.empty() ? "" : ": ") + text);
}

}  // namespace action_triggers::detail
