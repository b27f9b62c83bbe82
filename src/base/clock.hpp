// SPDX-License-Identifier: MIT
/// Wall-clock time as protocols want it. Durations and deadlines use the steady Clock of action_triggers/clock.hpp.
#pragma once

#include <chrono>
#include <cstdint>

namespace action_triggers::detail {

/// Milliseconds since 1970-01-01 00:00 UTC.
[[nodiscard]] inline std::int64_t unix_ms() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
}

/// When that was, or will be, by the wall clock as it is now. What the steady clock cannot reach (min(), max()) is no
/// time at all, as is the result's default.
[[nodiscard]] inline std::chrono::system_clock::time_point wall_time_of(std::chrono::steady_clock::time_point time) {
  using Steady = std::chrono::steady_clock;
  using Wall = std::chrono::system_clock;
  if (time == Steady::time_point::min() || time == Steady::time_point::max()) return {};
  return Wall::now() + std::chrono::duration_cast<Wall::duration>(time - Steady::now());
}

}  // namespace action_triggers::detail
