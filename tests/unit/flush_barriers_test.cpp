// SPDX-License-Identifier: MIT
// Which messages a flush waits for.
#include "dispatch/flush_barriers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

namespace action_triggers::detail {
namespace {

struct Counted final : FlushBarrier {
  void reached() noexcept override { ++times; }
  int times = 0;
};

TEST(FlushBarriersTest, WithoutMessagesABarrierIsReachedAtOnce) {
  FlushBarriers flushes;
  Counted barrier;
  flushes.add(barrier);
  EXPECT_EQ(barrier.times, 1);
}

TEST(FlushBarriersTest, WaitsForWhatCameBeforeAndForNothingElse) {
  FlushBarriers flushes;
  const auto before = flushes.join();
  Counted barrier;
  flushes.add(barrier);
  const auto after = flushes.join();
  flushes.leave(after);
  EXPECT_EQ(barrier.times, 0);
  const auto later = flushes.join();
  flushes.leave(before);
  EXPECT_EQ(barrier.times, 1);
  flushes.leave(later);
  EXPECT_EQ(barrier.times, 1);
}

TEST(FlushBarriersTest, BarriersOfOnePlaceAreReachedTogether) {
  FlushBarriers flushes;
  const auto message = flushes.join();
  Counted first;
  Counted second;
  flushes.add(first);
  flushes.add(second);
  flushes.leave(message);
  EXPECT_EQ(first.times, 1);
  EXPECT_EQ(second.times, 1);
}

TEST(FlushBarriersTest, ALaterBarrierWaitsForEarlierMessagesToo) {
  FlushBarriers flushes;
  const auto first_message = flushes.join();
  Counted first;
  flushes.add(first);
  const auto second_message = flushes.join();
  Counted second;
  flushes.add(second);
  flushes.leave(second_message);
  EXPECT_EQ(second.times, 0);
  flushes.leave(first_message);
  EXPECT_EQ(first.times, 1);
  EXPECT_EQ(second.times, 1);
}

TEST(FlushBarriersTest, DoesWhatSetsOfMessagesDo) {
  struct Waits {
    Counted barrier;
    std::vector<int> messages;
  };
  FlushBarriers flushes;
  std::vector<std::pair<int, std::uint32_t>> open;  // message, group
  std::deque<Waits> barriers;
  std::mt19937 random(3);  // NOLINT: the same each time
  for (int i = 0; i < 20'000; ++i) {
    const auto choice = random() % 100;
    if (choice < 45) {
      open.emplace_back(i, flushes.join());
    } else if (choice < 92) {
      if (open.empty()) continue;
      const auto which = open.begin() + static_cast<std::ptrdiff_t>(random() % open.size());
      const auto [message, group] = *which;
      open.erase(which);
      for (Waits& waits : barriers) std::erase(waits.messages, message);
      flushes.leave(group);
    } else {
      Waits& waits = barriers.emplace_back();
      for (const auto& [message, group] : open) waits.messages.push_back(message);
      flushes.add(waits.barrier);
    }
    for (const Waits& waits : barriers) ASSERT_EQ(waits.barrier.times, waits.messages.empty() ? 1 : 0);
    while (!barriers.empty() && barriers.front().messages.empty()) barriers.pop_front();
  }
}

}  // namespace
}  // namespace action_triggers::detail
