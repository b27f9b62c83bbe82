// SPDX-License-Identifier: MIT
/// What `done` of a row says: the lower 48 bits are those of the row's first 48 targets that need the row no more, the
/// upper 16 a fingerprint of the list of targets that the bits are about.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace action_triggers::detail {

inline constexpr std::uint32_t most_done_bits = 48;
inline constexpr std::uint64_t done_bits_mask = (std::uint64_t{1} << most_done_bits) - 1;

constexpr std::uint64_t done_word(std::uint16_t fingerprint, std::uint64_t bits) {
  return (bits & done_bits_mask) == 0 ? 0 : std::uint64_t{fingerprint} << most_done_bits | (bits & done_bits_mask);
}

/// 0 if `done` is about another list of targets.
constexpr std::uint64_t done_bits(std::uint64_t done, std::uint16_t fingerprint) {
  return done >> most_done_bits == fingerprint ? done & done_bits_mask : 0;
}

/// Of the names of a row's targets, in their order.
inline std::uint16_t fingerprint_of(std::span<const std::string> names) {
  std::uint64_t hash = 14'695'981'039'346'656'037ULL;  // FNV-1a
  const auto add = [&hash](unsigned char byte) { hash = (hash ^ byte) * 1'099'511'628'211ULL; };
  for (const std::string& name : names) {
    for (const char c : name) add(static_cast<unsigned char>(c));
    add(0);  // {"ab"} is not {"a", "b"}
  }
  return static_cast<std::uint16_t>(hash ^ hash >> 16 ^ hash >> 32 ^ hash >> 48);
}

}  // namespace action_triggers::detail
