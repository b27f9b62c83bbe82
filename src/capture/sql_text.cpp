// SPDX-License-Identifier: MIT
#include "capture/sql_text.hpp"

#include <algorithm>
#include <cstddef>

#include "triggers/json_escape.hpp"

namespace action_triggers::detail {

std::string json_text_of(std::string_view text) {
  std::string result = "\"";
  append_escaped(result, text);
  return result + '"';
}

std::string and_condition(const std::string& sql) { return sql.empty() ? "" : "\n    AND (\n" + sql + "\n    )"; }

std::string filled(std::string_view text, const std::vector<std::pair<std::string_view, std::string>>& values) {
  std::string result;
  while (!text.empty()) {
    const std::size_t begin = text.find('@');
    result.append(text.substr(0, begin));
    if (begin == std::string_view::npos) break;
    const std::size_t end = text.find('@', begin + 1);
    const std::string_view name = text.substr(begin + 1, end - begin - 1);
    const auto value = std::find_if(values.begin(), values.end(), [&](const auto& one) { return one.first == name; });
    if (value != values.end()) result.append(value->second);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return result;
}

}  // namespace action_triggers::detail
