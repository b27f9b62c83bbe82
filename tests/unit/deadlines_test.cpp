// SPDX-License-Identifier: MIT
// Deadlines of messages with one timeout and with several.
#include "dispatch/deadlines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/destination.hpp"
#include "unit/configs.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DeadlinesTest : public ::testing::Test {
 protected:
  ~DeadlinesTest() override {
    for (Record* record : records_) {
      record->drop_reference();
      record->drop_reference();
    }
  }

  /// Admits a message now.
  Record& add(DeadlineList& list, const std::string& body) {
    const MessageParts parts{body, nullptr};
    records_.push_back(Record::make(destination_, parts, Payload::counted_bytes(parts), next_message_id(1), {}));
    list.add(*records_.back(), now_);
    return *records_.back();
  }
  std::vector<std::string> expired_at(TimePoint now) {
    now_ = now;
    heap_.run(now);
    return std::exchange(expired_, {});
  }

  const TimePoint start_ = TimePoint(1h);
  TimePoint now_ = start_;
  Destination destination_{tests::config_of({"a"}).brokers.at("a")};
  DueHeap heap_;
  std::vector<std::string> expired_;
  Deadlines deadlines_{heap_, [this](Record& record) {
                         expired_.emplace_back(record.body());
                         list_of(record).remove(record);
                       }};
  std::deque<Record*> records_;

  DeadlineList& list_of(Record& record) { return deadlines_.acquire(record.queued.deadline - admitted_at(record)); }
  /// The bodies of these tests say when they were admitted, in milliseconds.
  [[nodiscard]] TimePoint admitted_at(const Record& record) const {
    return start_ + std::chrono::milliseconds(std::stoi(std::string(record.body())));
  }
};

TEST_F(DeadlinesTest, MessagesOfOneTimeoutExpireInTheOrderOfAdmission) {
  DeadlineList& list = deadlines_.acquire(100ms);
  add(list, "0");
  now_ += 1ms;
  add(list, "1");
  EXPECT_EQ(heap_.next(), start_ + 100ms);
  EXPECT_THAT(expired_at(start_ + 99ms), IsEmpty());
  EXPECT_THAT(expired_at(start_ + 100ms), ElementsAre("0"));
  EXPECT_EQ(heap_.next(), start_ + 101ms);
  EXPECT_THAT(expired_at(start_ + 101ms), ElementsAre("1"));
  EXPECT_EQ(heap_.next(), TimePoint::max());
}

TEST_F(DeadlinesTest, SeveralTimeoutsExpireEachInItsTime) {
  DeadlineList& slow = deadlines_.acquire(100ms);
  DeadlineList& fast = deadlines_.acquire(10ms);
  add(slow, "0");
  now_ += 50ms;
  add(fast, "50");
  EXPECT_EQ(heap_.next(), start_ + 60ms);
  EXPECT_THAT(expired_at(start_ + 60ms), ElementsAre("50"));
  EXPECT_THAT(expired_at(start_ + 100ms), ElementsAre("0"));
}

TEST_F(DeadlinesTest, WhatIsRemovedDoesNotExpireAndTheLaneIsNotWokenForIt) {
  DeadlineList& list = deadlines_.acquire(100ms);
  Record& first = add(list, "0");
  now_ += 5ms;
  Record& second = add(list, "5");
  now_ += 5ms;
  add(list, "10");
  list.remove(second);
  list.remove(first);
  EXPECT_LE(heap_.next(), start_ + 110ms);
  deadlines_.refresh();
  EXPECT_EQ(heap_.next(), start_ + 110ms);
  EXPECT_THAT(expired_at(start_ + 110ms), ElementsAre("10"));
}

TEST_F(DeadlinesTest, AnEmptyListIsNotDue) {
  DeadlineList& list = deadlines_.acquire(100ms);
  list.remove(add(list, "0"));
  deadlines_.refresh();
  EXPECT_EQ(heap_.next(), TimePoint::max());
  now_ += 1ms;
  add(list, "1");
  EXPECT_EQ(heap_.next(), start_ + 101ms);
}

TEST_F(DeadlinesTest, DestinationsWithOneTimeoutShareAListUntilTheLastLeaves) {
  DeadlineList& list = deadlines_.acquire(100ms);
  EXPECT_EQ(&deadlines_.acquire(100ms), &list);
  EXPECT_NE(&deadlines_.acquire(101ms), &list);
  EXPECT_EQ(list.destinations, 2U);
  deadlines_.release(list);
  add(list, "0");
  EXPECT_EQ(heap_.next(), start_ + 100ms);
  list.remove(*records_.back());
  deadlines_.release(list);
  EXPECT_EQ(heap_.next(), TimePoint::max()) << "a list that is gone is not due";
  heap_.run(start_ + 1h);
}

}  // namespace
}  // namespace action_triggers::detail
