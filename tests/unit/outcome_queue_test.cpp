// SPDX-License-Identifier: MIT
// Outcomes wait for their reports in order, and their capacity is released once.
#include "dispatch/outcome_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <deque>
#include <string>

#include "dispatch/destination.hpp"
#include "unit/configs.hpp"

namespace action_triggers::detail {
namespace {

class OutcomeQueueTest : public ::testing::Test {
 protected:
  ~OutcomeQueueTest() override {
    for (Record* record : records_) {
      record->drop_reference();
      record->drop_reference();
    }
  }

  /// A message that the lane has admitted.
  Record& make(Destination& destination, std::size_t bytes = 1) {
    const std::string body(bytes, 'x');
    const MessageParts parts{body, nullptr};
    EXPECT_EQ(destination.capacity.reserve(bytes, false), Capacity::Answer::reserved);
    destination.counters.held.add(1);
    records_.push_back(Record::make(destination, parts, bytes, next_message_id(1), {}));
    return *records_.back();
  }
  Record& resolve(Record& record) {
    outcomes_.push(record);
    return record;
  }

  Destination a_{tests::config_of({"a"}).brokers.at("a")};
  Destination b_{tests::config_of({"b"}).brokers.at("b")};
  OutcomeQueue outcomes_;
  std::deque<Record*> records_;
};

TEST_F(OutcomeQueueTest, ComesOutInTheOrderOfOutcomes) {
  EXPECT_TRUE(outcomes_.empty());
  Record& first = make(a_);
  Record& second = make(a_);
  resolve(second);
  resolve(first);
  EXPECT_EQ(outcomes_.first(), &second);
  outcomes_.pop();
  EXPECT_EQ(outcomes_.first(), &first);
  outcomes_.pop();
  EXPECT_TRUE(outcomes_.empty());
  resolve(second);
  EXPECT_EQ(outcomes_.first(), &second);
}

TEST_F(OutcomeQueueTest, CapacityOfSeveralIsReleasedAtOnceAndOnce) {
  for (int i = 0; i < 3; ++i) resolve(make(a_));
  for (int i = 0; i < 2; ++i) resolve(make(b_));
  outcomes_.release_capacity_of_first();
  outcomes_.release_capacity_of_first();
  EXPECT_EQ(a_.capacity.messages(), 0U);
  EXPECT_EQ(b_.capacity.messages(), 0U);
  EXPECT_EQ(a_.capacity.bytes(), 0U);
  EXPECT_EQ(a_.counters.held.get(), 0U);
  resolve(make(a_));
  for (int i = 0; i < 5; ++i) {
    outcomes_.pop();
    outcomes_.release_capacity_of_first();
    EXPECT_EQ(a_.capacity.messages(), i == 4 ? 0U : 1U) << "what came later is released when it is the first";
  }
  outcomes_.pop();
  EXPECT_TRUE(outcomes_.empty());
}

TEST_F(OutcomeQueueTest, MuchMemoryIsNotReleasedBeforeItsReport) {
  for (int i = 0; i < 3; ++i) resolve(make(a_, 100'000));
  for (std::size_t left = 2; !outcomes_.empty(); --left) {
    outcomes_.release_capacity_of_first();
    EXPECT_EQ(a_.capacity.messages(), left);
    outcomes_.pop();
  }
}

TEST_F(OutcomeQueueTest, WhatTheBrokerStillHoldsKeepsItsCapacity) {
  resolve(make(a_)).in_flight = true;
  resolve(make(a_));
  outcomes_.release_capacity_of_first();
  EXPECT_EQ(a_.capacity.messages(), 1U);
  EXPECT_EQ(a_.counters.held.get(), 1U);
  release_capacity(a_, 1, 1);  // it let go of it
  EXPECT_EQ(a_.capacity.messages(), 0U);
  EXPECT_EQ(a_.capacity.bytes(), 0U);
}

}  // namespace
}  // namespace action_triggers::detail
