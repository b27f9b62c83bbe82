// SPDX-License-Identifier: MIT
#include "config/json_text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace action_triggers::detail {
namespace {

constexpr std::string_view word_characters = "+-._0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

}  // namespace

bool is_utf16(std::string_view text) {
  return text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") ||
         (text.size() > 1 && (text[0] == '\0') != (text[1] == '\0'));
}

void append_utf8(std::string& to, unsigned code) {
  const auto add = [&](unsigned byte) { to += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xC0U | code >> 6U);
    add(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    add(0xE0U | code >> 12U);
    add(0x80U | (code >> 6U & 0x3FU));
    add(0x80U | (code & 0x3FU));
  } else {
    add(0xF0U | code >> 18U);
    add(0x80U | (code >> 12U & 0x3FU));
    add(0x80U | (code >> 6U & 0x3FU));
    add(0x80U | (code & 0x3FU));
  }
}

std::string_view first_word(std::string_view text) { return text.substr(0, text.find_first_not_of(word_characters)); }

bool is_json_number(std::string_view text) {
  const auto digits = [&] {
    const std::size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(count);
    return count;
  };
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.starts_with('0')) {
    text.remove_prefix(1);
  } else if (digits() == 0) {
    return false;
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

std::string wrong_word(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 12> meant{{{"True", "true"},
                                                                                 {"TRUE", "true"},
                                                                                 {"yes", "true"},
                                                                                 {"on", "true"},
                                                                                 {"False", "false"},
                                                                                 {"FALSE", "false"},
                                                                                 {"no", "false"},
                                                                                 {"off", "false"},
                                                                                 {"None", "null"},
                                                                                 {"Null", "null"},
                                                                                 {"NULL", "null"},
                                                                                 {"undefined", "null"}}};
  for (const auto& [wrong, right] : meant) {
    if (word == wrong) return "JSON writes " + std::string(right) + ", not " + std::string(wrong) + ".";
  }
  if (word == "NaN" || word == "Infinity") return "JSON has no " + std::string(word) + ".";
  return "A text stands in double quotes: \"…\".";
}

std::string wrong_character(std::string_view text) {
  const char c = text.front();
  if (c == '\0') return "There is a NUL character here.";
  for (const std::string_view quote : {"\xE2\x80\x98", "\xE2\x80\x99", "\xE2\x80\x9A", "\xE2\x80\x9C", "\xE2\x80\x9D",
                                       "\xE2\x80\x9E", "\xC2\xAB", "\xC2\xBB"}) {
    if (text.starts_with(quote)) return "Keys and strings stand in plain double quotes (\"), not in typographic ones.";
  }
  if (c == '\'') return "Keys and strings stand in double quotes (\"), not in single ones.";
  for (const std::string_view blank : {std::string_view("\xC2\xA0"), std::string_view("\xE2\x80\x8B"),
                                       std::string_view("\xE3\x80\x80"), byte_order_mark}) {
    if (text.starts_with(blank)) {
      return "There is an invisible character here, such as a no-break space; replace it by a plain space.";
    }
  }
  if (utf8_length(text) == 0) return "This byte is not UTF-8; save the file as UTF-8.";
  if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return "There is a control character here.";
  return "'" + std::string(text.substr(0, utf8_length(text))) + "' is not expected here.";
}

}  // namespace action_triggers::detail
