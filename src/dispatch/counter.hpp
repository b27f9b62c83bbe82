// SPDX-License-Identifier: MIT
/// A counter with one writer and any readers. Who sees a value sees what the writer did before.
#pragma once

#include <atomic>
#include <cstdint>

namespace action_triggers::detail {

class Counter {
 public:
  void add(std::uint64_t n) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }
  void subtract(std::uint64_t n) noexcept { add(~n + 1); }
  [[nodiscard]] std::uint64_t get() const noexcept { return value_.load(std::memory_order_acquire); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace action_triggers::detail
