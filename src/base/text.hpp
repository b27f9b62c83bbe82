// SPDX-License-Identifier: MIT
/// Small helpers for text.
#pragma once

#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace action_triggers::detail {

/// A to Z in lower case; other bytes stay as they are, whatever the locale.
std::string ascii_lower(std::string_view text);

/// Without the blanks and line ends around it.
std::string_view trimmed(std::string_view text) noexcept;

/// A control character of ASCII, or one from U+0080 to U+009F: it cannot be printed on a terminal as it is.
bool has_control_character(std::string_view text) noexcept;

/// 'text'. (Not std::quoted, which a call of a function named as it finds, too.)
std::string in_quotes(std::string_view text);

/// All of the text as a number, or nothing.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// "30 s", "0.25 s".
std::string seconds_text(std::chrono::milliseconds time);

}  // namespace action_triggers::detail
