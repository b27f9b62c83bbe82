// SPDX-License-Identifier: MIT
/// A hash table of what is found by a text: filled first, then only read, as fast as can be.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace action_triggers::detail {

template <class Word>
std::uint64_t word_at(const char* bytes) noexcept {
  Word word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

/// The upper bits depend on every bit of `value`, the lower ones do not.
constexpr std::uint64_t mixed(std::uint64_t value) noexcept {
  value *= 0x9E3779B97F4A7C15U;  // 2^64 divided by the golden ratio
  return value ^ (value >> 32U);
}

/// All of the bytes count. Texts in a table come from the configuration: nobody chooses them so that they collide.
inline std::uint64_t hash_of(std::string_view text) noexcept {
  const char* const begin = text.data();
  const std::size_t size = text.size();
  std::uint64_t hash = mixed(size);
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 < size; at += 8) hash = mixed(hash ^ word_at<std::uint64_t>(begin + at));
    return mixed(hash ^ word_at<std::uint64_t>(begin + size - 8));
  }
  // All bytes of fewer than eight, some of them twice.
  if (size >= 4) {
    return mixed(hash ^ (word_at<std::uint32_t>(begin) << 32U | word_at<std::uint32_t>(begin + size - 4)));
  }
  if (size == 0) return mixed(hash);
  return mixed(hash ^ (word_at<std::uint8_t>(begin) << 16U | word_at<std::uint8_t>(begin + size / 2) << 8U |
                       word_at<std::uint8_t>(begin + size - 1)));
}

/// Values, each under a hash_of(). Open addressing: every fire() and emit() looks a name up, and with a
/// std::unordered_map that took 10 ns more, of the 40 that a fire takes in all (bench/ours hook).
///
/// Threads: many may find at once, as long as nobody adds.
template <class Value>
class HashTable {
 public:
  /// The value that `is_wanted` takes of those with this hash, nearly always the first; nullptr: there is none.
  template <class IsWanted>
  [[nodiscard]] const Value* find(std::uint64_t hash, const IsWanted& is_wanted) const noexcept {
    if (slots_.empty()) return nullptr;
    for (std::size_t at = place_of(hash); slots_[at].used; at = after(at)) {
      if (slots_[at].hash == hash && is_wanted(slots_[at].value)) return &slots_[at].value;
    }
    return nullptr;  // half of the slots are empty
  }
  template <class IsWanted>
  [[nodiscard]] Value* find(std::uint64_t hash, const IsWanted& is_wanted) noexcept {
    return const_cast<Value*>(std::as_const(*this).find(hash, is_wanted));
  }

  /// Valid until the next one is added.
  Value& add(std::uint64_t hash, Value value) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    ++size_;
    return put(hash, std::move(value));
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    Value value{};
    bool used = false;
  };

  [[nodiscard]] std::size_t place_of(std::uint64_t hash) const noexcept { return hash >> shift_; }
  [[nodiscard]] std::size_t after(std::size_t slot) const noexcept { return (slot + 1) & (slots_.size() - 1); }

  Value& put(std::uint64_t hash, Value&& value) noexcept {
    std::size_t at = place_of(hash);
    while (slots_[at].used) at = after(at);
    slots_[at].hash = hash;
    slots_[at].value = std::move(value);
    slots_[at].used = true;
    return slots_[at].value;
  }
  void grow() {
    std::vector<Slot> smaller(slots_.empty() ? 4 : 2 * slots_.size());
    smaller.swap(slots_);
    shift_ = 64 - std::countr_zero(slots_.size());
    for (Slot& slot : smaller) {
      if (slot.used) put(slot.hash, std::move(slot.value));
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
  int shift_ = 0;
};

}  // namespace action_triggers::detail
