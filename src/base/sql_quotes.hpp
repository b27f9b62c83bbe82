// SPDX-License-Identifier: MIT
/// Names and texts as they stand in SQL, whatever characters they have. All databases have the same quotes.
#pragma once

#include <string>
#include <string_view>

namespace action_triggers::detail {

/// Each `quote` in it doubled, and one before and after.
inline std::string sql_quoted(std::string_view text, char quote) {
  std::string result(1, quote);
  for (const char c : text) {
    if (c == quote) result += c;
    result += c;
  }
  return result + quote;
}

/// "name"
inline std::string sql_name(std::string_view name) { return sql_quoted(name, '"'); }

/// 'text'. In PostgreSQL a text with a backslash needs another form, which pg_text() has.
inline std::string sql_text(std::string_view text) { return sql_quoted(text, '\''); }

/// 'text', whatever standard_conforming_strings says.
inline std::string pg_text(std::string_view text) {
  if (text.find('\\') == std::string_view::npos) return sql_text(text);
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') escaped += c;
    escaped += c;
  }
  return "E" + sql_text(escaped);
}

}  // namespace action_triggers::detail
