// SPDX-License-Identifier: MIT
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/message.hpp"

namespace action_triggers {
namespace {

/// As a JSON string (RFC 8259, 7).
void append_quoted(std::string& to, std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  to += '"';
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20) {
      to += "\\u00";
      to += hex[code >> 4U];
      to += hex[code & 0xFU];
      continue;
    }
    if (c == '"' || c == '\\') to += '\\';
    to += c;
  }
  to += '"';
}

}  // namespace

Header Header::list(Text name, const std::vector<HeaderItem>& items) {
  std::string value = "[";
  for (const HeaderItem& item : items) {
    if (value.size() > 1) value += ',';
    if (const auto* const text = std::get_if<Text>(&item)) {
      append_quoted(value, *text);
    } else if (const auto* const number = std::get_if<std::int64_t>(&item)) {
      value += std::to_string(*number);
    } else {
      value += *std::get_if<bool>(&item) ? "true" : "false";
    }
  }
  value += ']';
  return {std::move(name), std::move(value), HeaderType::list};
}

}  // namespace action_triggers
