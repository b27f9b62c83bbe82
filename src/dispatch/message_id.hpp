/// UUIDv7 message ids (RFC 9562, section 5.7), increasing within one generator.
#pragma once

#include <array>
#include <cstdint>
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
    std::size_t at = 0;
    for (unsigned byte = 0; byte < 16; ++byte) {
      if (byte == 4 || byte == 6 || byte == 8 || byte == 10) out[at++] = '-';
      const std::uint64_t half = byte < 8 ? high : low;
      const auto value = static_cast<unsigned>((half >> (56U - 8U * (byte % 8U))) & 0xFFU);
      out[at++] = hex[value >> 4U];
      out[at++] = hex[value & 0xFU];
    }
  }

 private:
  static constexpr std::array<char, 16> hex{'0', '1', '2', '3', '4', '5', '6', '7',
                                            '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  std::mt19937_64 random_;
  std::uint64_t last_ms_ = 0;
  std::uint32_t counter_ = 0;
};

}  // namespace action_triggers::detail
