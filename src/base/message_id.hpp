/// UUIDv7 message ids (RFC 9562, section 5.7), increasing within one generator.
#pragma once

#include <array>
#include <bit>
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
    write_hex(static_cast<std::uint32_t>(high >> 32U), out);
    write_groups_of_four(static_cast<std::uint32_t>(high), out + 8);
    write_groups_of_four(static_cast<std::uint32_t>(low >> 32U), out + 18);
    write_hex(static_cast<std::uint32_t>(low), out + 28);
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
    if constexpr (std::endian::native == std::endian::little)
      digits = __builtin_bswap64(digits);  // the first one first
    std::memcpy(out, &digits, sizeof digits);
  }

  /// A dash, four digits, a dash, four digits.
  static void write_groups_of_four(std::uint32_t value, char* out) {
    std::array<char, 8> digits{};
    write_hex(value, digits.data());
    out[0] = out[5] = '-';
    std::memcpy(out + 1, digits.data(), 4);
    std::memcpy(out + 6, digits.data() + 4, 4);
  }

  std::mt19937_64 random_;
  std::uint64_t last_ms_ = 0;
  std::uint32_t counter_ = 0;
};

}  // namespace action_triggers::detail
