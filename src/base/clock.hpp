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

}  // namespace action_triggers::detail
