// SPDX-License-Identifier: MIT
#include "triggers/letter_case.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "config/json_text.hpp"

namespace action_triggers::detail {
namespace {

/// Upper-case letters, every `step`th character of a range, and how far behind them their lower-case letters are.
struct UpperCase {
  unsigned first;
  unsigned last;
  unsigned step;
  int distance;
};
constexpr std::array<UpperCase, 27> upper_case{{
    {0x00C0, 0x00D6, 1, 32}, {0x00D8, 0x00DE, 1, 32},  // Latin-1
    {0x0100, 0x012E, 2, 1},  {0x0132, 0x0136, 2, 1},   // Latin Extended-A
    {0x0139, 0x0147, 2, 1},  {0x014A, 0x0176, 2, 1},  {0x0178, 0x0178, 1, -121},
    {0x0179, 0x017D, 2, 1},  {0x01CD, 0x01DB, 2, 1},  {0x01DE, 0x01EE, 2, 1},  // Latin Extended-B
    {0x01F8, 0x021E, 2, 1},  {0x0222, 0x0232, 2, 1},  {0x0386, 0x0386, 1, 38},
    {0x0388, 0x038A, 1, 37}, {0x038C, 0x038C, 1, 64},  // Greek
    {0x038E, 0x038F, 1, 63}, {0x0391, 0x03A1, 1, 32}, {0x03A3, 0x03AB, 1, 32},
    {0x0400, 0x040F, 1, 80}, {0x0410, 0x042F, 1, 32}, {0x0460, 0x0480, 2, 1},   // Cyrillic
    {0x048A, 0x04BE, 2, 1},  {0x04D0, 0x052E, 2, 1},  {0x0531, 0x0556, 1, 48},  // Armenian
    {0x1E00, 0x1E94, 2, 1},  {0x1EA0, 0x1EFE, 2, 1},                            // Latin Extended Additional
    {0xFF21, 0xFF3A, 1, 32},                                                    // full-width Latin
}};

unsigned lower(unsigned code) {
  for (const UpperCase& range : upper_case) {
    if (code < range.first) break;
    if (code <= range.last && (code - range.first) % range.step == 0) {
      return static_cast<unsigned>(static_cast<int>(code) + range.distance);
    }
  }
  return code;
}

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }
char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// A character in lower case, as UTF-8 of the same size.
struct Lower {
  std::array<char, 4> bytes{};
  std::size_t size = 1;

  explicit Lower(std::string_view text) {
    const std::size_t length = utf8_length(text);
    size = std::max<std::size_t>(1, length);
    std::memcpy(bytes.data(), text.data(), size);
    const auto tail = [&](std::size_t i) { return static_cast<unsigned char>(text[i]) & 0x3FU; };
    const auto lead = static_cast<unsigned char>(text.front());
    if (length == 2) {
      const unsigned code = lower((lead & 0x1FU) << 6U | tail(1));
      bytes = {static_cast<char>(0xC0U | code >> 6U), static_cast<char>(0x80U | (code & 0x3FU))};
    } else if (length == 3) {
      const unsigned code = lower((lead & 0x0FU) << 12U | tail(1) << 6U | tail(2));
      bytes = {static_cast<char>(0xE0U | code >> 12U), static_cast<char>(0x80U | (code >> 6U & 0x3FU)),
               static_cast<char>(0x80U | (code & 0x3FU))};
    }
  }
};

}  // namespace

std::string lower_case(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    if (is_ascii(text.front())) {
      result += ascii_lower(text.front());
      text.remove_prefix(1);
      continue;
    }
    const Lower character(text);
    result.append(character.bytes.data(), character.size);
    text.remove_prefix(character.size);
  }
  return result;
}

bool is_in_lower_case(std::string_view text, std::string_view lower) noexcept {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size();) {
    if (is_ascii(text[i])) {
      if (ascii_lower(text[i]) != lower[i]) return false;
      ++i;
      continue;
    }
    const Lower character(text.substr(i));
    if (lower.substr(i, character.size) != std::string_view(character.bytes.data(), character.size)) return false;
    i += character.size;
  }
  return true;
}

}  // namespace action_triggers::detail
