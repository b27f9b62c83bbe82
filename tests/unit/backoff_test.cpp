// SPDX-License-Identifier: MIT
// Pauses: they double, have a limit, and are never nothing.
#include "core/backoff.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;

constexpr int draws = 1'000;

/// The pauses of `draws` tries lie in [least, most] and come near both.
void expect_range(const RetryPolicy& policy, std::uint32_t failures, std::chrono::nanoseconds least,
                  std::chrono::nanoseconds most) {
  Backoff backoff(failures + 1);
  std::chrono::nanoseconds shortest = std::chrono::nanoseconds::max();
  std::chrono::nanoseconds longest = std::chrono::nanoseconds::zero();
  for (int i = 0; i < draws; ++i) {
    const auto pause = backoff.after(policy, failures);
    shortest = std::min(shortest, pause);
    longest = std::max(longest, pause);
  }
  EXPECT_GE(shortest, least) << failures;
  EXPECT_LE(longest, most) << failures;
  EXPECT_LE(shortest, least + (most - least) / 20) << failures;
  EXPECT_GE(longest, most - (most - least) / 20) << failures;
}

RetryPolicy policy_of(std::chrono::milliseconds initial, std::chrono::milliseconds longest) {
  return {.max_attempts = {}, .initial_backoff = initial, .max_backoff = longest};
}

TEST(BackoffTest, DoublesWithEachFailureUpToTheLimit) {
  const RetryPolicy policy = policy_of(100ms, 1'000ms);
  expect_range(policy, 1, 10ms, 100ms);
  expect_range(policy, 2, 20ms, 200ms);
  expect_range(policy, 4, 80ms, 800ms);
  expect_range(policy, 5, 100ms, 1'000ms);
  expect_range(policy, 4'000'000'000U, 100ms, 1'000ms);
}

TEST(BackoffTest, WithoutAFailureItIsAsWithOne) { expect_range(policy_of(100ms, 1'000ms), 0, 10ms, 100ms); }

TEST(BackoffTest, IsNeverNothing) {
  expect_range(policy_of(0ms, 0ms), 1, 100us, 100us);
  expect_range(policy_of(0ms, 1'000ms), 30, 100us, 100us);
  expect_range(policy_of(100ms, 0ms), 1, 100us, 100us);
}

TEST(BackoffTest, TheLongestPausesDoNotOverflow) {
  const RetryPolicy policy = policy_of(24h * 365, 24h * 3'650);
  expect_range(policy, 1, 24h * 365 / 10, 24h * 365);
  expect_range(policy, 60, 24h * 365, 24h * 3'650);
}

TEST(BackoffTest, TwoLanesDrawDifferently) {
  Backoff one(1);
  Backoff other(2);
  EXPECT_NE(one.after(policy_of(1'000ms, 1'000ms), 1), other.after(policy_of(1'000ms, 1'000ms), 1));
}

}  // namespace
}  // namespace action_triggers::detail
