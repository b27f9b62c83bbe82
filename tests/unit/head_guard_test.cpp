// SPDX-License-Identifier: MIT
#include "outbox/head_guard.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;

const TimePoint now = TimePoint(1h);

ShardNotes inherited(std::int64_t head, std::int32_t deaths) { return {0, head, deaths}; }

TEST(HeadGuardTest, IsCarefulOnlyAfterADeath) {
  HeadGuard guard;
  guard.begin({}, 0, 100);
  EXPECT_FALSE(guard.is_careful());
  EXPECT_EQ(guard.limit(), 100U);
  EXPECT_TRUE(guard.may_send(1));
  guard.begin(inherited(1, 1), 0, 100);
  EXPECT_TRUE(guard.is_careful());
  EXPECT_EQ(guard.limit(), 1U);
}

TEST(HeadGuardTest, TheHeadIsNotedBeforeItIsSent) {
  HeadGuard guard;
  guard.begin(inherited(1, 2), 0, 100);
  EXPECT_FALSE(guard.may_send(5));
  EXPECT_TRUE(guard.wants_notes());
  EXPECT_EQ(guard.notes({}).head, 5);
  EXPECT_EQ(guard.notes({}).deaths, 0);  // nobody has died of this one
  guard.noted(guard.notes({}));
  EXPECT_FALSE(guard.wants_notes());
  EXPECT_TRUE(guard.may_send(5));
  EXPECT_FALSE(guard.may_send(1));
  EXPECT_EQ(guard.notes({}).deaths, 2);
}

/// Whoever inserts an id by hand: one below 0 as a head would be the row of another number, and the least has none.
TEST(HeadGuardTest, AnIdThatNoDatabaseGivesIsNoHead) {
  HeadGuard guard;
  guard.begin({}, 0, 100);
  for (const std::int64_t id : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-5}, std::int64_t{0}}) {
    EXPECT_TRUE(guard.may_send(id));
    EXPECT_EQ(guard.notes(id).head, std::nullopt) << id;
  }
  guard.begin(inherited(1, 1), 0, 100);
  EXPECT_TRUE(guard.may_send(-5));
  EXPECT_FALSE(guard.wants_notes());
}

TEST(HeadGuardTest, SendsMoreAndMoreUntilItHasSurvivedABatch) {
  HeadGuard guard;
  guard.begin(inherited(1, 1), 0, 4);
  guard.sent(now);
  EXPECT_FALSE(guard.has_survived(now + 249ms, 1));
  EXPECT_TRUE(guard.has_survived(now + 249ms, 0));  // all is back
  EXPECT_EQ(guard.limit(), 2U);
  guard.sent(now);
  EXPECT_EQ(guard.next_due(), now + 250ms);
  EXPECT_TRUE(guard.has_survived(now + 250ms, 1));
  EXPECT_FALSE(guard.is_careful());
  EXPECT_TRUE(guard.wants_notes());
  EXPECT_EQ(guard.notes(9).deaths, 0);
  EXPECT_EQ(guard.notes(9).head, 9);
}

TEST(HeadGuardTest, ASuspectIsSentAloneEvenIfOthersWereSurvived) {
  HeadGuard guard;
  guard.begin(inherited(5, 1), 0, 100);
  for (int i = 0; i < 3; ++i) {
    guard.sent(now);
    guard.has_survived(now, 0);
  }
  EXPECT_EQ(guard.limit(), 8U);
  EXPECT_FALSE(guard.may_send(5));
  EXPECT_EQ(guard.limit(), 1U);
}

TEST(HeadGuardTest, AnOwnerThatLivesIsNotADeathButAReasonForCare) {
  HeadGuard guard;
  guard.begin(inherited(5, 3), 1, 100);
  EXPECT_FALSE(guard.is_poisoned(5));
  EXPECT_FALSE(guard.may_send(5));  // not before the table has the right number
  EXPECT_EQ(guard.notes({}).deaths, 2);
  guard.begin(inherited(5, 1), 1, 100);
  EXPECT_TRUE(guard.is_careful());
}

TEST(HeadGuardTest, WhoEndsBeforeItComesToTheHeadHasNotDiedOfIt) {
  ShardNotes notes{.low = 0, .head = 5, .deaths = 0};
  for (int end = 0; end < 10; ++end) {
    notes = notes.taken_over(/*has_died=*/true);
    HeadGuard guard;
    guard.begin(notes, 0, 100);
    EXPECT_TRUE(guard.is_careful());
    EXPECT_FALSE(guard.is_poisoned(5));
    notes = guard.notes({});  // a renewal, while it waits for its brokers
    EXPECT_EQ(notes.head, -5);
    EXPECT_EQ(notes.deaths, 1) << "the one who was sending it";
  }
  for (int end = 0; end < 2; ++end) {
    HeadGuard guard;
    guard.begin(notes, 0, 100);
    EXPECT_FALSE(guard.is_poisoned(5));
    EXPECT_FALSE(guard.may_send(5));
    notes = guard.notes({}).taken_over(/*has_died=*/true);
  }
  HeadGuard guard;
  guard.begin(notes, 0, 100);
  EXPECT_TRUE(guard.is_poisoned(5));
}

TEST(HeadGuardTest, ThreeDeathsOfOneRowPoisonIt) {
  HeadGuard guard;
  guard.begin(inherited(5, 2), 0, 100);
  EXPECT_FALSE(guard.is_poisoned(5));
  guard.begin(inherited(5, 3), 0, 100);
  EXPECT_TRUE(guard.is_poisoned(5));
  EXPECT_FALSE(guard.is_poisoned(6));
}

}  // namespace
}  // namespace action_triggers::detail
