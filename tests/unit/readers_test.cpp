// SPDX-License-Identifier: MIT
#include "base/readers.hpp"

#include <gtest/gtest.h>

#include <atomic>
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
