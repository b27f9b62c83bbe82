// SPDX-License-Identifier: MIT
/// UUIDv7 message ids (RFC 9562, section 5.7), increasing within one generator.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/fork.hpp"

namespace action_triggers::detail {

/// The 128 bits of an id. Writing its text takes longer than making it, and is left to whoever needs the text.
struct MessageId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  static constexpr std::size_t text_size = 36;

  /// Writes the 36 characters to `out`.
  void write_text(char* out) const noexcept {
    write_hex(static_cast<std::uint32_t>(high >> 32U), out);
    write_groups_of_four(static_cast<std::uint32_t>(high), out + 8);
    write_groups_of_four(static_cast<std::uint32_t>(low >> 32U), out + 18);
    write_hex(static_cast<std::uint32_t>(low), out + 28);
  }

  friend bool operator==(const MessageId&, const MessageId&) = default;

 private:
  /// Eight digits at once: a nibble into each byte, then '0', or what makes it a letter, added to each.
  static void write_hex(std::uint32_t value, char* out) noexcept {
    std::uint64_t digits = value;
    digits = (digits | digits << 16U) & 0x0000FFFF0000FFFFU;
    digits = (digits | digits << 8U) & 0x00FF00FF00FF00FFU;
    digits = (digits | digits << 4U) & 0x0F0F0F0F0F0F0F0FU;
    const std::uint64_t letters = ((digits + 0x0606060606060606U) >> 4U) & 0x0101010101010101U;  // where it is over 9
    digits += 0x3030303030303030U + letters * ('a' - '9' - 1);
    if constexpr (std::endian::native == std::endian::little)
      digits = __builtin_bswap64(digits);  // the first one first
    std::memcpy(out, &digits, sizeof digits);
  }

  /// A dash, four digits, a dash, four digits.
  static void write_groups_of_four(std::uint32_t value, char* out) noexcept {
    std::array<char, 8> digits{};
    write_hex(value, digits.data());
    out[0] = out[5] = '-';
    std::memcpy(out + 1, digits.data(), 4);
    std::memcpy(out + 6, digits.data() + 4, 4);
  }
};

/// Not thread-safe: each thread has one (next_message_id()).
class MessageIdGenerator {
 public:
  constexpr explicit MessageIdGenerator(std::uint64_t seed) noexcept : state_(seed) {}

  /// `unix_ms` is the wall clock; going backwards is harmless.
  MessageId next(std::uint64_t unix_ms) noexcept {
    // RFC 9562, 6.2 method 1: the 12 bits after the time are a counter, started low so that it has room to grow.
    if (unix_ms > last_ms_) {
      last_ms_ = unix_ms;
      counter_ = static_cast<std::uint32_t>(random() & 0x3FFU);
    } else if (++counter_ > 0xFFFU) {
      ++last_ms_;
      counter_ = 0;
    }
    return {(last_ms_ << 16U) | 0x7000U | counter_, (random() >> 2U) | 0x8000000000000000U};
  }

 private:
  /// A 64-bit counter, mixed until every bit depends on every other (Steele, Lea, Flood: SplitMix, OOPSLA 2014).
  std::uint64_t random() noexcept {
    std::uint64_t mixed = state_ += 0x9E3779B97F4A7C15U;
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31U);
  }

  std::uint64_t state_;
  std::uint64_t last_ms_ = 0;
  std::uint32_t counter_ = 0;
};

/// The calling thread's generator. Without a constructor that runs and without a destructor: a thread may make ids
/// until its last moment.
struct ThreadIds {
  MessageIdGenerator generator{0};
  std::uint32_t made_in = 0;  // 1 + fork_generation() of the process that seeded it; 0: not seeded yet

  void seed() noexcept;
};
extern constinit thread_local ThreadIds thread_ids;

/// A new id from the calling thread's generator. `unix_ms` is the wall clock, as near as the caller has it. A child of
/// fork() goes on with a generator of its own.
inline MessageId next_message_id(std::uint64_t unix_ms) noexcept {
  if (thread_ids.made_in != fork_generation() + 1) [[unlikely]]
    thread_ids.seed();
  return thread_ids.generator.next(unix_ms);
}

/// The wall clock, right to a few milliseconds: CLOCK_REALTIME_COARSE costs a fifth of the exact one.
std::uint64_t coarse_unix_ms() noexcept;

}  // namespace action_triggers::detail
