// SPDX-License-Identifier: MIT
#include "outbox/storable_text.hpp"

#include "base/utf8.hpp"

namespace action_triggers::detail {

std::string storable_text(std::string_view text, std::size_t longest) {
  std::string stored;
  while (!text.empty()) {
    const std::size_t length = text.front() == '\0' ? 0 : utf8_length(text);
    if (stored.size() + length > longest) return stored + "…";
    stored += length == 0 ? std::string_view("?") : text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return stored;
}

}  // namespace action_triggers::detail
