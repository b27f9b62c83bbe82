// SPDX-License-Identifier: MIT
// How much a destination holds, and who waits for it to become less.
#include "dispatch/capacity.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "support/waiting_call.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using Answer = Capacity::Answer;

Capacity::TimePoint in_a_minute() { return std::chrono::steady_clock::now() + 1min; }

/// As fire() with Overflow::block.
Answer reserve_waiting(Capacity& capacity, std::size_t bytes) {
  const auto deadline = in_a_minute();
  Answer answer = capacity.reserve(bytes, false);
  while (answer == Answer::full && std::chrono::steady_clock::now() < deadline) {
    capacity.wait(deadline);
    answer = capacity.reserve(bytes, false);
  }
  return answer;
}

TEST(CapacityTest, CountsMessagesAndBytes) {
  Capacity capacity(2, 100);
  EXPECT_EQ(capacity.reserve(60, false), Answer::reserved);
  EXPECT_EQ(capacity.reserve(41, false), Answer::full) << "bytes";
  EXPECT_EQ(capacity.reserve(40, false), Answer::reserved);
  EXPECT_EQ(capacity.reserve(0, false), Answer::full) << "messages";
  EXPECT_EQ(capacity.messages(), 2U);
  EXPECT_EQ(capacity.bytes(), 100U);
  capacity.release(2, 100);
  EXPECT_EQ(capacity.messages(), 0U);
  EXPECT_EQ(capacity.bytes(), 0U);
}

TEST(CapacityTest, IsFullWhereAnotherMessageOfThatSizeHasNoRoom) {
  Capacity messages(2, 100);
  EXPECT_FALSE(messages.is_full());
  EXPECT_EQ(messages.reserve(1, false), Answer::reserved);
  EXPECT_FALSE(messages.is_full());
  EXPECT_EQ(messages.reserve_in_scope(1, false), Answer::reserved);
  EXPECT_TRUE(messages.is_full());
  messages.close();
  messages.release(1, 1);
  EXPECT_FALSE(messages.is_full());
  Capacity bytes(1'000, 100);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bytes.reserve(30, false), Answer::reserved);
  EXPECT_TRUE(bytes.is_full()) << "30 bytes more do not fit";
  bytes.release(1, 30);
  EXPECT_FALSE(bytes.is_full());
}

TEST(CapacityTest, ScopesTakeRoomAndAreCountedApart) {
  Capacity capacity(3, 100);
  EXPECT_EQ(capacity.reserve(10, false), Answer::reserved);
  EXPECT_EQ(capacity.reserve_in_scope(101, false), Answer::too_large);
  EXPECT_EQ(capacity.reserve_in_scope(91, false), Answer::full) << "bytes";
  EXPECT_EQ(capacity.reserve_in_scope(20, false), Answer::reserved);
  EXPECT_EQ(capacity.reserve_in_scope(20, false), Answer::reserved);
  EXPECT_EQ(capacity.reserve_in_scope(0, false), Answer::full) << "messages";
  EXPECT_EQ(capacity.reserve(0, false), Answer::full);
  EXPECT_EQ(capacity.messages(), 1U);
  EXPECT_EQ(capacity.bytes(), 10U);
  EXPECT_EQ(capacity.messages_in_scopes(), 2U);
  EXPECT_EQ(capacity.bytes_in_scopes(), 40U);
  EXPECT_TRUE(capacity.take_beyond_limits(1, 20));  // beyond the limit until it is released there
  capacity.release_in_scope(1, 20);
  EXPECT_EQ(capacity.messages(), 2U);
  capacity.close();
  EXPECT_EQ(capacity.reserve_in_scope(0, false), Answer::closed);
  EXPECT_FALSE(capacity.take_beyond_limits(1, 20));
  EXPECT_EQ(capacity.messages_in_scopes(), 1U);
  EXPECT_EQ(capacity.messages(), 2U);
}

TEST(CapacityTest, WhatCanNeverFitIsTooLarge) {
  Capacity capacity(2, 100);
  EXPECT_EQ(capacity.reserve(101, false), Answer::too_large);
  EXPECT_EQ(capacity.reserve(101, true), Answer::too_large);
  EXPECT_EQ(capacity.messages(), 0U);
}

TEST(CapacityTest, SlackIsTwiceAsMuch) {
  Capacity capacity(2, 100);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(capacity.reserve(50, true), Answer::reserved);
  EXPECT_EQ(capacity.reserve(0, true), Answer::full);
}

TEST(CapacityTest, AClosedOneStillCountsWhatItHas) {
  Capacity capacity(2, 100);
  EXPECT_EQ(capacity.reserve(50, false), Answer::reserved);
  capacity.close();
  EXPECT_EQ(capacity.reserve(50, false), Answer::closed);
  EXPECT_EQ(capacity.messages(), 1U);
  EXPECT_EQ(capacity.bytes(), 50U);
  capacity.release(1, 50);
  EXPECT_EQ(capacity.messages(), 0U);
}

TEST(CapacityTest, NobodyWaitsForAnEmptyOneOrAClosedOne) {
  Capacity capacity(1, 100);
  capacity.wait(in_a_minute());
  EXPECT_EQ(capacity.reserve(1, false), Answer::reserved);
  capacity.close();
  capacity.wait(in_a_minute());
}

TEST(CapacityTest, AWaitEndsAtItsDeadline) {
  Capacity capacity(1, 100);
  ASSERT_EQ(capacity.reserve(1, false), Answer::reserved);
  capacity.wait(std::chrono::steady_clock::now());
}

TEST(CapacityTest, AReleaseLetsAWaiterPass) {
  Capacity capacity(1, 100);
  ASSERT_EQ(capacity.reserve(1, false), Answer::reserved);
  Answer answer = Answer::full;
  tests::WaitingCall waiter([&] { answer = reserve_waiting(capacity, 1); });
  ASSERT_TRUE(waiter.waits());
  capacity.release(1, 1);
  waiter.join();
  EXPECT_EQ(answer, Answer::reserved);
}

TEST(CapacityTest, AReleaseOfAnotherDestinationLetsNobodyPass) {
  Capacity mine(1, 100);
  Capacity other(100'000, 100'000);
  ASSERT_EQ(mine.reserve(1, false), Answer::reserved);
  tests::WaitingCall waiter([&] { reserve_waiting(mine, 1); });
  ASSERT_TRUE(waiter.waits());
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_EQ(other.reserve(1, false), Answer::reserved);
    other.release(1, 1);
  }
  EXPECT_TRUE(waiter.waits());
  EXPECT_FALSE(waiter.returned());
  mine.release(1, 1);
}

TEST(CapacityTest, CloseWakesAllWaiters) {
  Capacity capacity(1, 100);
  ASSERT_EQ(capacity.reserve(1, false), Answer::reserved);
  std::atomic<int> closed{0};
  std::vector<std::unique_ptr<tests::WaitingCall>> waiters;
  for (int i = 0; i < 16; ++i) {
    waiters.push_back(std::make_unique<tests::WaitingCall>([&] {
      if (reserve_waiting(capacity, 1) == Answer::closed) ++closed;
    }));
  }
  for (const auto& waiter : waiters) ASSERT_TRUE(waiter->waits());
  capacity.close();
  for (const auto& waiter : waiters) waiter->join();
  EXPECT_EQ(closed, 16);
  EXPECT_EQ(capacity.messages(), 1U);
}

TEST(CapacityTest, ManyWaitersAllPassAndNeverMoreThanFit) {
  constexpr int threads = 8;
  constexpr int each = 2'000;
  Capacity capacity(3, 1'000);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<int> passed{0};
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([&] {
      for (int n = 0; n < each; ++n) {
        if (reserve_waiting(capacity, 7) != Answer::reserved) return;
        const int now = ++inside;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        --inside;
        ++passed;
        capacity.release(1, 7);
      }
    });
  }
  for (std::thread& thread : all) thread.join();
  EXPECT_EQ(passed, threads * each);
  EXPECT_LE(most, 3);
  EXPECT_EQ(capacity.messages(), 0U);
  EXPECT_EQ(capacity.bytes(), 0U);
}

}  // namespace
}  // namespace action_triggers::detail
