// SPDX-License-Identifier: MIT
#include "outbox/destination_flow.hpp"

#include <gtest/gtest.h>

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;

const TimePoint now = TimePoint(1h);

DestinationFlow flow(std::size_t rows = 4, std::size_t bytes = 1'000) { return {{}, {rows, bytes}}; }

TEST(DestinationFlowTest, HasRoomForRowsAndBytes) {
  DestinationFlow one = flow();
  EXPECT_TRUE(one.has_room(5'000, now));  // alone
  one.took(900);
  EXPECT_TRUE(one.has_room(100, now));
  EXPECT_FALSE(one.has_room(101, now));
  for (int i = 0; i < 3; ++i) one.took(1);
  EXPECT_FALSE(one.has_room(1, now));
}

TEST(DestinationFlowTest, WantsRowsWhenHalfOfItsRoomIsFree) {
  DestinationFlow one = flow();
  for (int i = 0; i < 4; ++i) one.took(10);
  one.fall_behind(7);
  EXPECT_FALSE(one.wants_rows(now));
  one.gave_back(10);
  EXPECT_FALSE(one.wants_rows(now));
  one.gave_back(10);
  EXPECT_TRUE(one.wants_rows(now));
  one.is_full_for(981);  // the next row
  EXPECT_FALSE(one.wants_rows(now));
  one.gave_back(10);
  one.gave_back(10);
  EXPECT_TRUE(one.wants_rows(now));
}

TEST(DestinationFlowTest, FallsFurtherBehindAndNotAhead) {
  DestinationFlow one = flow();
  one.fall_behind(7);
  one.fall_behind(9);
  EXPECT_EQ(one.cursor(), 7);
  one.fall_behind(5);
  EXPECT_EQ(one.cursor(), 5);
  one.follow();
  one.fall_behind(20);
  EXPECT_EQ(one.cursor(), 20);
}

TEST(DestinationFlowTest, ARefusalIsTriedAgainMoreAndMoreRarely) {
  DestinationFlow one = flow();
  one.fall_behind(1);
  one.refused(now);
  EXPECT_FALSE(one.has_room(1, now + 19ms));
  EXPECT_EQ(one.next_try(now), now + 20ms);
  EXPECT_TRUE(one.wants_rows(now + 20ms));
  one.refused(now + 20ms);
  EXPECT_FALSE(one.wants_rows(now + 59ms));
  EXPECT_TRUE(one.wants_rows(now + 60ms));
  one.confirmed();
  one.refused(now + 60ms);
  EXPECT_TRUE(one.wants_rows(now + 80ms));
}

TEST(DestinationFlowTest, WhatIsClosedIsWaitedForUntilAllIsBack) {
  DestinationFlow one = flow();
  one.took(1);
  one.took(1);
  one.gave_back(1);
  one.closed(5, now);
  EXPECT_TRUE(one.is_behind());
  EXPECT_EQ(one.cursor(), 4);
  EXPECT_FALSE(one.has_room(1, now + 1h));
  one.gave_back(1);
  EXPECT_TRUE(one.has_room(1, now + 1h));
}

TEST(DestinationFlowTest, IsNotWaitedForAgainAndAgain) {
  DestinationFlow one = flow();
  EXPECT_FALSE(one.is_worth_waiting_for(now));  // nothing in flight that could make room
  one.took(1);
  EXPECT_TRUE(one.is_worth_waiting_for(now));
  one.used_up_patience(now);
  EXPECT_FALSE(one.is_worth_waiting_for(now + 9s));
  EXPECT_TRUE(one.is_worth_waiting_for(now + 10s));
}

TEST(DestinationFlowTest, AnotherLeaseForgetsWhereItWasAndNotWhatIsInFlight) {
  DestinationFlow one = flow();
  one.took(10);
  one.fall_behind(3);
  one.stops.stop_all(3, now);
  one.start_anew();
  EXPECT_FALSE(one.is_behind());
  EXPECT_TRUE(one.stops.empty());
  EXPECT_EQ(one.rows_in_flight(), 1U);
}

}  // namespace
}  // namespace action_triggers::detail
