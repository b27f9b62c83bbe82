// SPDX-License-Identifier: MIT
#include "base/readers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "support/gate.hpp"
#include "support/waiting_call.hpp"

namespace action_triggers::detail {
namespace {

TEST(ReadersTest, AWriterWaitsForASectionThatHasBegun) {
  tests::Gate inside;
  tests::Gate leave;
  std::thread reader([&] {
    const ReadSection reading;
    const ReadSection nested;
    EXPECT_TRUE(is_reading());
    inside.open();
    leave.wait();
  });
  inside.wait();
  tests::WaitingCall writing([] { wait_for_readers(); });
  ASSERT_TRUE(writing.waits());
  EXPECT_FALSE(writing.returned());
  leave.open();
  writing.join();
  reader.join();
  EXPECT_FALSE(is_reading());
}

TEST(ReadersTest, TheEndOfAnInnerSectionIsNotTheEndOfTheOuterOne) {
  const ReadSection outer;
  { const ReadSection inner; }
  EXPECT_TRUE(is_reading());
}

TEST(ReadersTest, AWriterDoesNotWaitForSectionsThatBeginLater) {
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) const ReadSection reading;
  });
  for (int i = 0; i < 1000; ++i) wait_for_readers();
  stop = true;
  reader.join();
}

/// Such as a fire that waits for capacity, which it gets when the writer is done.
TEST(ReadersTest, AWriterThatWaitsDoesNotComeToWaitForSectionsThatBeganMeanwhile) {
  struct Round {
    tests::Gate enter;
    tests::Gate inside;
    tests::Gate leave;
  };
  struct Thread {
    tests::Gate is_known;
    std::array<Round, 2> rounds;
    std::thread thread{[this] {
      { const ReadSection reading; }
      is_known.open();
      for (Round& round : rounds) {
        round.enter.wait();
        const ReadSection reading;
        round.inside.open();
        round.leave.wait();
      }
    }};
  };
  Thread one;
  ASSERT_TRUE(one.is_known.wait());
  Thread other;
  ASSERT_TRUE(other.is_known.wait());
  for (const std::size_t i : {0U, 1U}) {  // in the order in which a writer looks at them, and in the other
    Round& earlier = (i == 0 ? one : other).rounds[i];
    Round& later = (i == 0 ? other : one).rounds[i];
    earlier.enter.open();
    ASSERT_TRUE(earlier.inside.wait());
    tests::WaitingCall writing([] { wait_for_readers(); });
    EXPECT_TRUE(writing.waits());
    later.enter.open();
    ASSERT_TRUE(later.inside.wait());
    earlier.leave.open();
    EXPECT_TRUE(writing.returns());
    later.leave.open();
    writing.join();
  }
  one.thread.join();
  other.thread.join();
}

/// Under AddressSanitizer and ThreadSanitizer this finds what is freed too early.
TEST(ReadersTest, WhatWasReplacedCanBeFreed) {
  std::atomic<const std::vector<int>*> current{new std::vector<int>(100, 0)};
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const ReadSection reading;
        const std::vector<int>& numbers = *current.load(std::memory_order_seq_cst);
        ASSERT_EQ(numbers.front(), numbers.back());
      }
    });
  }
  for (int i = 1; i <= 500; ++i) {
    const std::unique_ptr<const std::vector<int>> old(current.exchange(new std::vector<int>(100, i)));
    wait_for_readers();
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  delete current.load();
}

}  // namespace
}  // namespace action_triggers::detail
