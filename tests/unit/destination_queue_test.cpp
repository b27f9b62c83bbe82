// SPDX-License-Identifier: MIT
// The order of one destination's messages: against a model that keeps them in a sorted map.
#include "dispatch/destination_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "dispatch/destination.hpp"
#include "unit/configs.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DestinationQueueTest : public ::testing::Test {
 protected:
  ~DestinationQueueTest() override {
    for (Record* record : records_) {
      record->drop_reference();
      record->drop_reference();
    }
  }

  Record& push(DestinationQueue& queue) {
    const std::string body = std::to_string(records_.size());
    const MessageParts parts{body, nullptr};
    records_.push_back(Record::make(destination_, parts, Payload::counted_bytes(parts), next_message_id(1), {}));
    records_.back()->queued.sequence = records_.size() - 1;
    queue.push(*records_.back());
    return *records_.back();
  }
  std::vector<std::size_t> fill(DestinationQueue& queue, std::size_t most) {
    batch_.reserve(most);
    queue.fill_batch(batch_, most);
    std::vector<std::size_t> numbers;
    for (const OutboundMessage* message : batch_) {
      numbers.push_back(static_cast<std::size_t>(static_cast<const Record*>(message)->queued.sequence));
    }
    return numbers;
  }
  /// The broker refused it.
  void refuse(DestinationQueue& queue, std::size_t number) {
    queue.landed(*records_[number]);
    queue.send_again(*records_[number]);
  }

  Destination destination_{tests::config_of({"a"}).brokers.at("a")};
  std::deque<Record*> records_;
  std::vector<const OutboundMessage*> batch_;
};

TEST_F(DestinationQueueTest, ANewQueueIsEmpty) {
  DestinationQueue queue(0);
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.has_unsent());
  EXPECT_EQ(queue.oldest(), nullptr);
  EXPECT_EQ(queue.next_return(), TimePoint::max());
  EXPECT_THAT(fill(queue, 10), IsEmpty());
}

TEST_F(DestinationQueueTest, MessagesGoOutInTheOrderOfFiring) {
  DestinationQueue queue(0);
  for (int i = 0; i < 5; ++i) push(queue);
  EXPECT_THAT(fill(queue, 3), ElementsAre(0U, 1U, 2U));
  EXPECT_THAT(fill(queue, 3), ElementsAre(3U, 4U));
  EXPECT_FALSE(queue.has_unsent());
  EXPECT_EQ(queue.in_flight(), 5U);
  EXPECT_EQ(queue.bytes(), 5U);
}

TEST_F(DestinationQueueTest, WhatIsSentAgainGoesBeforeWhatIsNewer) {
  DestinationQueue queue(0);
  for (int i = 0; i < 4; ++i) push(queue);
  fill(queue, 3);
  refuse(queue, 2);
  refuse(queue, 0);
  EXPECT_THAT(fill(queue, 10), ElementsAre(0U, 2U, 3U)) << "1 is in flight";
}

TEST_F(DestinationQueueTest, WhatWaitsApartReturnsToItsPlace) {
  DestinationQueue queue(0);
  for (int i = 0; i < 5; ++i) push(queue);
  fill(queue, 4);
  for (const std::size_t number : {3U, 1U}) {
    refuse(queue, number);
    queue.wait_apart(*records_[number], TimePoint(1h) + std::chrono::milliseconds(number));
  }
  EXPECT_EQ(queue.next_return(), TimePoint(1h) + 1ms);
  EXPECT_EQ(queue.count(), 5U);
  EXPECT_THAT(fill(queue, 10), ElementsAre(4U)) << "the others go on";
  queue.return_waiting(TimePoint(1h));
  EXPECT_FALSE(queue.has_unsent());
  refuse(queue, 2);
  queue.return_waiting(TimePoint(1h) + 5ms);
  EXPECT_EQ(queue.next_return(), TimePoint::max());
  EXPECT_THAT(fill(queue, 10), ElementsAre(1U, 2U, 3U));
}

TEST_F(DestinationQueueTest, OnlyWithAWindowOfOneNothingMayWaitApart) {
  EXPECT_TRUE(DestinationQueue(0).may_wait_apart());
  EXPECT_FALSE(DestinationQueue(1).may_wait_apart());
  EXPECT_TRUE(DestinationQueue(2).may_wait_apart());
}

TEST_F(DestinationQueueTest, WhatWaitsApartCanBeTakenOut) {
  DestinationQueue queue(0);
  push(queue);
  fill(queue, 1);
  refuse(queue, 0);
  queue.wait_apart(*records_[0], TimePoint(1h));
  queue.remove(*records_[0]);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0U);
  EXPECT_EQ(queue.next_return(), TimePoint::max());
  queue.return_waiting(TimePoint::max());
  EXPECT_FALSE(queue.has_unsent());
}

/// What a message of the model is doing.
enum class Doing : std::uint8_t { unsent, in_flight, waits_apart };

class DestinationQueueModelTest : public DestinationQueueTest, public ::testing::WithParamInterface<std::size_t> {};

TEST_P(DestinationQueueModelTest, DoesWhatASortedMapDoes) {
  const std::size_t window = GetParam();
  DestinationQueue queue(window);
  std::map<std::size_t, Doing> model;
  std::map<std::size_t, TimePoint> returns;
  std::vector<std::size_t> held;  // resolved, and still in flight
  TimePoint now = TimePoint(1h);
  std::mt19937 random(static_cast<unsigned>(window) + 1);  // NOLINT: the same each time
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random()) % limit; };
  const auto any = [&](Doing doing) -> std::size_t {
    std::vector<std::size_t> all;
    for (const auto& [number, is] : model) {
      if (is == doing) all.push_back(number);
    }
    return all.empty() ? records_.size() : all[below(all.size())];
  };
  const auto in_flight = [&] {
    return held.size() + static_cast<std::size_t>(std::count_if(model.begin(), model.end(), [](const auto& entry) {
             return entry.second == Doing::in_flight;
           }));
  };
  for (int operation = 0; operation < 10'000; ++operation) {
    const std::size_t choice = below(10);
    if (choice < 3 && model.size() < 60) {
      model[static_cast<std::size_t>(push(queue).queued.sequence)] = Doing::unsent;
    } else if (choice < 5) {
      std::vector<std::size_t> expected;
      const std::size_t most = 1 + below(8);
      const std::size_t open = window == 0 ? most : window - std::min(window, in_flight());
      for (auto& [number, doing] : model) {
        if (window != 0 && open < window / 8) break;
        if (doing != Doing::unsent || expected.size() >= std::min(most, open)) continue;
        expected.push_back(number);
        doing = Doing::in_flight;
      }
      ASSERT_EQ(fill(queue, most), expected);
    } else if (choice < 7) {  // an answer
      const std::size_t number = any(Doing::in_flight);
      if (number == records_.size()) continue;
      const std::size_t answer = below(4);
      if (answer == 0) {  // refused
        refuse(queue, number);
        model[number] = Doing::unsent;
      } else if (answer == 1 && queue.may_wait_apart()) {
        refuse(queue, number);
        returns[number] = now + std::chrono::milliseconds(1 + below(20));
        queue.wait_apart(*records_[number], returns[number]);
        model[number] = Doing::waits_apart;
      } else {
        queue.landed(*records_[number]);
        queue.remove(*records_[number]);
        model.erase(number);
      }
    } else if (choice == 7) {  // one runs out of time, whatever it is doing
      const std::size_t number = any(static_cast<Doing>(below(3)));
      if (number == records_.size()) continue;
      queue.remove(*records_[number]);
      if (model[number] == Doing::in_flight) held.push_back(number);
      returns.erase(number);
      model.erase(number);
    } else if (choice == 8) {
      now += std::chrono::milliseconds(below(10));
      queue.return_waiting(now);
      std::erase_if(returns, [&](const auto& entry) {
        if (entry.second > now) return false;
        model[entry.first] = Doing::unsent;
        return true;
      });
    } else if (!held.empty()) {
      queue.landed(*records_[held.back()]);
      held.pop_back();
    }

    ASSERT_EQ(queue.count(), model.size());
    ASSERT_EQ(queue.empty(), model.empty());
    ASSERT_EQ(queue.in_flight(), in_flight());
    std::size_t bytes = 0;
    for (const auto& [number, doing] : model) bytes += records_[number]->capacity_bytes;
    ASSERT_EQ(queue.bytes(), bytes);
    const auto first =
        std::find_if(model.begin(), model.end(), [](const auto& entry) { return entry.second == Doing::unsent; });
    ASSERT_EQ(queue.next_unsent(), first == model.end() ? nullptr : records_[first->first]);
    TimePoint next = TimePoint::max();
    for (const auto& [number, at] : returns) next = std::min(next, at);
    ASSERT_LE(queue.next_return(), next) << "it may be too early, but never too late";
    if (returns.empty()) {
      ASSERT_EQ(queue.next_return(), TimePoint::max());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Windows, DestinationQueueModelTest, ::testing::Values(0U, 1U, 5U, 24U));

}  // namespace
}  // namespace action_triggers::detail
