// SPDX-License-Identifier: MIT
#include "core/backoff.hpp"

#include <algorithm>

namespace action_triggers::detail {
namespace {

constexpr std::chrono::nanoseconds shortest = std::chrono::microseconds(100);

}  // namespace

std::chrono::nanoseconds Backoff::after(const RetryPolicy& policy, std::uint32_t failures) {
  const std::uint32_t doublings = std::min(failures > 0 ? failures - 1 : 0, 30U);
  const std::chrono::nanoseconds longest = policy.max_backoff;
  const std::chrono::nanoseconds base = policy.initial_backoff;
  const std::int64_t factor = std::int64_t{1} << doublings;
  const std::chrono::nanoseconds limit = base > longest / factor ? longest : base * factor;
  // Jitter, but never nothing at all: a fault that comes back at once must not spin.
  const std::int64_t most = std::max<std::int64_t>(limit.count(), shortest.count());
  const std::int64_t least = std::max<std::int64_t>(limit.count() / 10, shortest.count());
  return std::chrono::nanoseconds(std::uniform_int_distribution<std::int64_t>(least, most)(random_));
}

}  // namespace action_triggers::detail
