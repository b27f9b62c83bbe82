// SPDX-License-Identifier: MIT
/// The characters, numbers and words of JSON text, and what to say of those that it does not have.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/utf8.hpp"

namespace action_triggers::detail {

inline constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
inline bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_utf16(std::string_view text);

void append_utf8(std::string& to, unsigned code);

/// What begins here and could be meant as a number or a word.
std::string_view first_word(std::string_view text);
/// RFC 8259's grammar of numbers.
bool is_json_number(std::string_view text);

/// What is wrong with a word that stands where a value is expected.
std::string wrong_word(std::string_view word);
/// What is wrong with the first character of `text`, which nobody can expect where it stands.
std::string wrong_character(std::string_view text);

}  // namespace action_triggers::detail
