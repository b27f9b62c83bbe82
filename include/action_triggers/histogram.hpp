// SPDX-License-Identifier: MIT
/// Durations, counted by how long they were.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace action_triggers {

/// What can be added up over processes and over time, as percentiles cannot: Prometheus' histogram.
struct Histogram {
  struct Bucket {
    std::chrono::nanoseconds upper_bound{0};
    std::uint64_t count = 0;  ///< Those that took so long or less: the buckets before are in it. Within 12.5 %.
  };
  std::vector<Bucket> buckets;           ///< By their bounds, shortest first. Empty: nothing was counted for it.
  std::uint64_t count = 0;               ///< All, those beyond the last bound as well.
  std::chrono::duration<double> sum{0};  ///< Of all, within 6 %: in seconds, of which years of messages make many.
};

}  // namespace action_triggers
