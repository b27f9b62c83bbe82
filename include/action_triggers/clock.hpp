// SPDX-License-Identifier: MIT
/// The clock of deadlines, backoffs and pauses: it never goes back, and does not follow the wall clock.
#pragma once

#include <chrono>

namespace action_triggers {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

/// The duration in nanoseconds; one that does not fit is the longest or shortest that does: `seconds::max()` means
/// "for ever" instead of overflowing.
template <class Rep, class Period>
[[nodiscard]] constexpr std::chrono::nanoseconds saturated(std::chrono::duration<Rep, Period> duration) noexcept {
  using Seconds = std::chrono::duration<double>;
  if (Seconds(duration) >= Seconds(std::chrono::nanoseconds::max())) return std::chrono::nanoseconds::max();
  if (Seconds(duration) <= Seconds(std::chrono::nanoseconds::min())) return std::chrono::nanoseconds::min();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration);
}

}  // namespace action_triggers
