// SPDX-License-Identifier: MIT
#include "dispatch/destination.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace action_triggers::detail
