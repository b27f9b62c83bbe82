// SPDX-License-Identifier: MIT
// What is due, and in which order: against a sorted map.
#include "dispatch/due_heap.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <vector>

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr TimePoint start = TimePoint(1h);

struct Ring final : Due {
  explicit Ring(std::function<void(Ring&, TimePoint)> action) : act(std::move(action)) {}
  std::function<void(Ring&, TimePoint)> act;

 private:
  void on_due(TimePoint now) override { act(*this, now); }
};

class DueHeapTest : public ::testing::Test {
 protected:
  Ring& make(std::function<void(Ring&, TimePoint)> act = {}) {
    heap_.make_place();
    const std::size_t number = rings_.size();
    rings_.emplace_back([this, number, act = std::move(act)](Ring& ring, TimePoint now) {
      rung_.push_back(number);
      if (act) act(ring, now);
    });
    return rings_.back();
  }

  DueHeap heap_;
  std::deque<Ring> rings_;
  std::vector<std::size_t> rung_;
};

TEST_F(DueHeapTest, AnEmptyHeapIsNeverDue) {
  EXPECT_EQ(heap_.next(), TimePoint::max());
  heap_.run(TimePoint::max());
}

TEST_F(DueHeapTest, TheEarliestComesFirst) {
  for (const auto at : {3ms, 1ms, 2ms}) heap_.set(make(), start + at);
  EXPECT_EQ(heap_.next(), start + 1ms);
  heap_.run(start + 3ms);
  EXPECT_THAT(rung_, ElementsAre(1U, 2U, 0U));
  EXPECT_EQ(heap_.next(), TimePoint::max());
}

TEST_F(DueHeapTest, WhatIsNotDueYetStays) {
  heap_.set(make(), start + 1ms);
  heap_.set(make(), start + 2ms);
  heap_.run(start);
  EXPECT_THAT(rung_, IsEmpty());
  heap_.run(start + 1ms);
  EXPECT_THAT(rung_, ElementsAre(0U));
  EXPECT_FALSE(rings_[0].is_set());
  EXPECT_TRUE(rings_[1].is_set());
}

TEST_F(DueHeapTest, WhatIsClearedDoesNotRing) {
  Ring& first = make();
  heap_.set(first, start);
  heap_.set(make(), start);
  heap_.clear(first);
  heap_.clear(first);
  heap_.run(start);
  EXPECT_THAT(rung_, ElementsAre(1U));
}

TEST_F(DueHeapTest, WhatIsSetAgainWhileItRingsWaitsForTheNextRun) {
  heap_.set(make([this](Ring& ring, TimePoint now) { heap_.set(ring, now); }), start);
  heap_.run(start);
  EXPECT_THAT(rung_, ElementsAre(0U));
  heap_.run(start);
  EXPECT_THAT(rung_, ElementsAre(0U, 0U));
}

TEST_F(DueHeapTest, OneThatRingsMayClearAnother) {
  Ring& later = make();
  heap_.set(later, start + 1ms);
  heap_.set(make([&](Ring&, TimePoint) { heap_.clear(later); }), start);
  heap_.run(start + 1ms);
  EXPECT_THAT(rung_, ElementsAre(1U));
}

TEST_F(DueHeapTest, DoesWhatASortedMapDoes) {
  constexpr std::size_t count = 40;
  for (std::size_t i = 0; i < count; ++i) make();
  std::mt19937 random(7);  // NOLINT: the same each time
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random()) % limit; };
  std::multimap<TimePoint, std::size_t> model;
  const auto forget = [&](std::size_t number) {
    std::erase_if(model, [&](const auto& entry) { return entry.second == number; });
  };
  TimePoint now = start;
  for (int operation = 0; operation < 20'000; ++operation) {
    const std::size_t number = below(count);
    const std::size_t choice = below(10);
    if (choice < 7) {
      const TimePoint at = now + std::chrono::milliseconds(below(50));
      forget(number);
      model.emplace(at, number);
      heap_.set(rings_[number], at);
    } else if (choice < 9) {
      forget(number);
      heap_.clear(rings_[number]);
    } else {
      now += std::chrono::milliseconds(below(20));
      std::vector<std::size_t> due;
      for (; !model.empty() && model.begin()->first <= now; model.erase(model.begin()))
        due.push_back(model.begin()->second);
      rung_.clear();
      heap_.run(now);
      std::sort(due.begin(), due.end());
      std::sort(rung_.begin(), rung_.end());
      ASSERT_EQ(rung_, due);
    }
    ASSERT_EQ(heap_.next(), model.empty() ? TimePoint::max() : model.begin()->first);
  }
}

}  // namespace
}  // namespace action_triggers::detail
