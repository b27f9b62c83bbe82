// SPDX-License-Identifier: MIT
/// A message's values for a layer that sends all of them as text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "action_triggers/outbox.hpp"

namespace action_triggers::tests {

/// Body and key as PostgreSQL's text format has bytes.
inline OutboxValues as_text(OutboxValues message) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const std::size_t bytes : {1U, 2U}) {
    auto& value = message.values[bytes];
    if (!value) continue;
    std::string text = "\\x";
    for (const char c : *value) {
      const auto byte = static_cast<unsigned char>(c);
      text += digits[byte >> 4U];
      text += digits[byte & 15U];
    }
    value = std::move(text);
  }
  return message;
}

}  // namespace action_triggers::tests
