/// UUIDv7 message ids (RFC 9562, section 5.7), increasing within one generator.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>

namespace action_triggers::detail {

class MessageIdGenerator {
 public:
  static constexpr std::size_t text_size = 36;

  explicit MessageIdGenerator(std::uint64_t seed) : random_(seed) {}

  /// Writes the 36 characters of a new id. `unix_ms` is the wall clock; going backwards is harmless.
  void write(std::uint64_t unix_ms, char* out) {
    // RFC 9562, 6.2 method 1: the 12 bits after the time are a counter, started low so that it has room to grow.
    if (unix_ms > last_ms_) {
      last_ms_ = unix_ms;
      counter_ = static_cast<std::uint32_t>(random_() & 0x3FFU);
    } else if (++counter_ > 0xFFFU) {
      ++last_ms_;
      counter_ = 0;
    }
    const std::uint64_t high = (last_ms_ << 16U) | 0x7000U | counter_;
    const std::uint64_t low = (random_() >> 2U) | 0x8000000000000000U;
    const std::array<std::uint32_t, 4> words{static_cast<std::uint32_t>(high >> 32U), static_cast<std::uint32_t>(high),
                                             static_cast<std::uint32_t>(low >> 32U), static_cast<std::uint32_t>(low)};
    std::array<char, 32> text{};
    for (std::size_t i = 0; i < words.size(); ++i) write_hex(words[i], text.data() + 8 * i);
    std::size_t from = 0;
    for (const std::size_t length : {8U, 4U, 4U, 4U, 12U}) {
      if (from > 0) *out++ = '-';
      std::memcpy(out, text.data() + from, length);
      out += length;
      from += length;
    }
  }

 private:
  /// Eight digits at once: a nibble into each byte, then '0', or what makes it a letter, added to each.
  static void write_hex(std::uint32_t value, char* out) {
    std::uint64_t digits = value;
    digits = (digits | digits << 16U) & 0x0000FFFF0000FFFFU;
    digits = (digits | digits << 8U) & 0x00FF00FF00FF00FFU;
    digits = (digits | digits << 4U) & 0x0F0F0F0F0F0F0F0FU;
    const std::uint64_t letters = ((digits + 0x0606060606060606U) >> 4U) & 0x0101010101010101U;  // where it is over 9
    digits += 0x3030303030303030U + letters * ('a' - '9' - 1);
    for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(digits >> (56U - 8U * i));
  }

  std::mt19937_64 random_;
  std::uint64_t last_ms_ = 0;
  std::uint32_t counter_ = 0;
};

}  // namespace action_triggers::detail
