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

std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned lead = byte(0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool beyond = (lead == 0xED && byte(1) >= 0xA0) || (lead == 0xF4 && byte(1) >= 0x90);
  return overlong || beyond ? 0 : length;
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
