// SPDX-License-Identifier: MIT
// Helpers for text.
#include "base/text.hpp"

#include <algorithm>

namespace action_triggers::detail {

std::string ascii_lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

}  // namespace action_triggers::detail
