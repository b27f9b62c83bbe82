// SPDX-License-Identifier: MIT
/// How long to wait before the next try.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

#include "action_triggers/broker_config.hpp"

namespace action_triggers::detail {

class Backoff {
 public:
  explicit Backoff(std::uint64_t seed) : random_(seed) {}

  /// After so many failures in a row: the limit starts at initial_backoff and doubles up to max_backoff; the pause is
  /// drawn at random between a tenth of the limit and the limit, and is never less than 100 µs.
  std::chrono::nanoseconds after(const RetryPolicy& policy, std::uint32_t failures);

 private:
  std::mt19937_64 random_;
};

}  // namespace action_triggers::detail
