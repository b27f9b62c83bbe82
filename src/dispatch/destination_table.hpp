// SPDX-License-Identifier: MIT
/// Finds a destination by its name. Filled once, then read from any thread.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "dispatch/destination.hpp"

namespace action_triggers::detail {

/// A hash table with open addressing. Every fire() looks a name up: with a std::unordered_map that took 10 ns more, of
/// the 40 that a fire takes in all (one name as well as a thousand; bench/ours hook).
class DestinationTable {
 public:
  /// Their names are different from each other; they outlive this.
  explicit DestinationTable(const std::vector<Destination*>& destinations = {})
      : slots_(std::bit_ceil(2 * destinations.size() + 2)), shift_(64 - std::countr_zero(slots_.size())) {
    for (Destination* destination : destinations) {
      const std::uint64_t hash = hash_of(destination->name);
      std::size_t at = slot_of(hash);
      while (slots_[at].destination != nullptr) at = after(at);
      slots_[at] = {hash, destination};
    }
  }

  /// nullptr: there is none.
  [[nodiscard]] Destination* find(std::string_view name) const noexcept {
    const std::uint64_t hash = hash_of(name);
    for (std::size_t at = slot_of(hash); slots_[at].destination != nullptr; at = after(at)) {
      if (slots_[at].hash == hash && slots_[at].destination->name == name) return slots_[at].destination;
    }
    return nullptr;  // half of the slots are empty
  }

  /// All of the bytes count. Names come from the configuration: nobody chooses them so that they collide.
  static std::uint64_t hash_of(std::string_view name) noexcept {
    const char* const begin = name.data();
    const std::size_t size = name.size();
    std::uint64_t hash = mixed(size);
    if (size < 8) return mixed(hash ^ short_word(begin, size));
    for (std::size_t at = 0; at + 8 < size; at += 8) hash = mixed(hash ^ word_at(begin + at));
    return mixed(hash ^ word_at(begin + size - 8));
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    Destination* destination = nullptr;
  };

  template <class Word = std::uint64_t>
  static std::uint64_t word_at(const char* bytes) noexcept {
    Word word = 0;
    std::memcpy(&word, bytes, sizeof word);
    return word;
  }
  /// All bytes of fewer than eight, some of them twice.
  static std::uint64_t short_word(const char* bytes, std::size_t size) noexcept {
    if (size >= 4) return word_at<std::uint32_t>(bytes) << 32U | word_at<std::uint32_t>(bytes + size - 4);
    if (size == 0) return 0;
    return word_at<std::uint8_t>(bytes) << 16U | word_at<std::uint8_t>(bytes + size / 2) << 8U |
           word_at<std::uint8_t>(bytes + size - 1);
  }
  /// The upper bits depend on every bit of `value`, the lower ones do not: a slot is found by the upper ones.
  static std::uint64_t mixed(std::uint64_t value) noexcept {
    value *= 0x9E3779B97F4A7C15U;  // 2^64 divided by the golden ratio
    return value ^ (value >> 32U);
  }
  [[nodiscard]] std::size_t slot_of(std::uint64_t hash) const noexcept { return hash >> shift_; }
  [[nodiscard]] std::size_t after(std::size_t slot) const noexcept { return (slot + 1) & (slots_.size() - 1); }

  std::vector<Slot> slots_;
  int shift_;
};

}  // namespace action_triggers::detail
