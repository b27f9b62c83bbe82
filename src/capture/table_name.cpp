// SPDX-License-Identifier: MIT
#include "capture/table_name.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace action_triggers::detail {
namespace {

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// One name at the beginning of the text, which it takes away; empty: there is none.
std::string take_name(std::string_view& text) {
  std::string name;
  if (!text.starts_with('"')) {
    while (!text.empty() && text.front() != '.' && text.front() != '"') {
      name += text.front();
      text.remove_prefix(1);
    }
    return name;
  }
  text.remove_prefix(1);
  for (; !text.empty(); text.remove_prefix(1)) {
    if (text.front() == '"') {
      text.remove_prefix(1);
      if (!text.starts_with('"')) return name;
    }
    name += text.front();
  }
  return {};  // the quote is not closed
}

}  // namespace

std::optional<TableName> parse_table_name(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    parts.push_back(take_name(text));
    if (parts.back().empty() || parts.size() > 2) return std::nullopt;
    if (text.empty()) break;
    if (text.front() != '.') return std::nullopt;
    text.remove_prefix(1);
  }
  TableName name;
  name.name = std::move(parts.back());
  if (parts.size() == 2) name.schema = std::move(parts.front());
  return name;
}

bool has_sql_word(std::string_view sql, std::string_view lower_word) {
  char quote = '\0';
  for (std::size_t at = 0; at < sql.size();) {
    if (quote != '\0' || sql[at] == '\'' || sql[at] == '"') {
      quote = quote == '\0' ? sql[at] : sql[at] == quote ? '\0' : quote;
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < sql.size() && is_word_character(sql[end])) ++end;
    if (ascii_lower(sql.substr(at, end - at)) == lower_word) return true;
    at = end == at ? at + 1 : end;
  }
  return false;
}

}  // namespace action_triggers::detail
