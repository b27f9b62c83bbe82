// SPDX-License-Identifier: MIT
#include "dispatch/destination.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>

namespace action_triggers::detail {
namespace {

// The counters as a thread sees them that reads one before and one after the lane has changed both.
TEST(DestinationTest, AMessageReleasedBetweenTwoReadingsIsStillAccepted) {
  Destination destination(std::make_shared<BrokerConfig>());
  destination.counters.admitted.add(2);
  destination.counters.held.add(1);  // and `capacity` has released it already
  EXPECT_EQ(destination.accepted(), 2U);
}

TEST(DestinationTest, AMessageAdmittedBetweenTwoReadingsIsNotTakenAwayFromNone) {
  Destination destination(std::make_shared<BrokerConfig>());
  destination.counters.held.add(1);
  EXPECT_EQ(destination.accepted(), 0U);
}

TEST(DestinationTest, WhatWaitsForTheLaneIsAccepted) {
  Destination destination(std::make_shared<BrokerConfig>());
  ASSERT_EQ(destination.capacity.reserve(1, false), Capacity::Answer::reserved);
  EXPECT_EQ(destination.accepted(), 1U);
  destination.capacity.release(1, 1);
  EXPECT_EQ(destination.accepted(), 1U) << "what stats() said once stays";
}

class DestinationFailuresTest : public ::testing::Test {
 protected:
  void fail(StatusCode code) { destination_.failed({code, "why"}, now_); }
  void deliver() { destination_.counters.outcomes[static_cast<std::size_t>(StatusCode::ok)].add(1); }

  Destination destination_{std::make_shared<BrokerConfig>()};
  TimePoint now_ = TimePoint(std::chrono::hours(1));
};

TEST_F(DestinationFailuresTest, AFailureIsTroubleUntilSomethingIsDelivered) {
  EXPECT_TRUE(destination_.failures().trouble.ok());
  EXPECT_EQ(destination_.failures().latest, TimePoint::min());
  deliver();
  fail(StatusCode::not_found);
  const TimePoint first = now_;
  now_ += std::chrono::seconds(3);
  fail(StatusCode::unroutable);
  Destination::Failures failures = destination_.failures();
  EXPECT_EQ(failures.trouble.code(), StatusCode::unroutable);
  EXPECT_EQ(failures.trouble_since, first);
  EXPECT_EQ(failures.trouble_latest, now_);
  deliver();
  failures = destination_.failures();
  EXPECT_TRUE(failures.trouble.ok());
  EXPECT_EQ(failures.text, "unroutable: why") << "what failed last is still known";
  EXPECT_EQ(failures.latest, now_);
  now_ += std::chrono::seconds(3);
  fail(StatusCode::not_found);
  EXPECT_EQ(destination_.failures().trouble_since, now_) << "another trouble";
}

TEST_F(DestinationFailuresTest, AMessageAtFaultIsNoTroubleAndEndsNone) {
  fail(StatusCode::too_large);
  fail(StatusCode::invalid_argument);
  fail(StatusCode::closed);
  EXPECT_TRUE(destination_.failures().trouble.ok());
  EXPECT_EQ(destination_.failures().text, "closed: why");
  fail(StatusCode::not_found);
  fail(StatusCode::too_large);
  EXPECT_EQ(destination_.failures().trouble.code(), StatusCode::not_found);
}

}  // namespace
}  // namespace action_triggers::detail
