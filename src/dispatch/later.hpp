// SPDX-License-Identifier: MIT
/// From a timeout that an application gives to a time.
#pragma once

#include <algorithm>
#include <chrono>

#include "action_triggers/clock.hpp"

namespace action_triggers::detail {

/// Far below the clock's end: a grace period can still be added.
inline constexpr std::chrono::hours longest_wait{24 * 365};

/// So long from now; not before now, and not beyond longest_wait.
inline TimePoint later(std::chrono::nanoseconds timeout) {
  return Clock::now() + std::clamp<std::chrono::nanoseconds>(timeout, std::chrono::nanoseconds::zero(), longest_wait);
}

}  // namespace action_triggers::detail
