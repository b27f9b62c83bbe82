// SPDX-License-Identifier: MIT
#include "triggers/json_escape.hpp"

#include "config/json_text.hpp"

namespace action_triggers::detail {
namespace {

/// A quote, a backslash or a control character.
void append_escape(std::string& to, char c) {
  constexpr std::string_view characters = "\"\\\b\f\n\r\t";
  constexpr std::string_view letters = "\"\\bfnrt";
  constexpr std::string_view digits = "0123456789abcdef";
  to += '\\';
  if (const std::size_t found = characters.find(c); found != std::string_view::npos) {
    to += letters[found];
    return;
  }
  to += "u00";
  to += digits[static_cast<std::size_t>(c) >> 4U];
  to += digits[static_cast<std::size_t>(c) & 15U];
}

}  // namespace

std::size_t append_escaped(std::string& to, std::string_view text) {
  std::size_t written = 0;
  std::size_t at = 0;
  const auto write = [&] { to.append(text, written, at - written); };
  while (at < text.size()) {
    const char c = text[at];
    if (static_cast<unsigned char>(c) >= 0x80) {
      const std::size_t length = utf8_length(text.substr(at, 4));
      if (length == 0) {
        write();
        return at;
      }
      at += length;
    } else if (c < ' ' || c == '"' || c == '\\') {
      write();
      append_escape(to, c);
      written = ++at;
    } else {
      ++at;
    }
  }
  write();
  return std::string_view::npos;
}

}  // namespace action_triggers::detail
