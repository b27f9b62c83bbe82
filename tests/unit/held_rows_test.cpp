// SPDX-License-Identifier: MIT
#include "outbox/held_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "outbox/row_targets.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

const TimePoint now = TimePoint(1h);

class HeldRowsTest : public ::testing::Test {
 protected:
  HeldRowsTest() { rows_.has_lease(); }

  /// Sent to its first targets.
  HeldRow& hold(std::int64_t id, std::size_t targets = 1, std::size_t sent = 1, std::uint64_t done = 0) {
    OutboxRow row;
    row.id = id;
    row.done = done;
    RowTargets to;
    for (std::uint32_t i = 0; i < targets; ++i) to.destinations.push_back(i);
    to.fingerprint = 7;
    HeldRow& held = rows_.hold(row, to);
    for (std::uint32_t bit = 0; bit < sent; ++bit) rows_.sent(held, bit);
    return held;
  }
  static DeadRow dead(std::int64_t id) {
    DeadRow row;
    row.id = id;
    return row;
  }

  HeldRows rows_{3};
};

TEST_F(HeldRowsTest, SaysTheSameRemovalsUntilTheyAreDone) {
  rows_.confirmed(hold(1), 0, now);
  EXPECT_EQ(rows_.removals_due(now), now + 20ms);
  EXPECT_THAT(rows_.removals(), ElementsAre(1));
  EXPECT_THAT(rows_.removals(), ElementsAre(1));
  rows_.confirmed(hold(2), 0, now + 10ms);  // while the first one is on its way
  rows_.removed(1);
  EXPECT_THAT(rows_.removals(), ElementsAre(2));
  EXPECT_EQ(rows_.removals_due(now), now + 30ms);
}

TEST_F(HeldRowsTest, SaysTheSameMarksUntilTheyAreWritten) {
  rows_.confirmed(hold(1, 2, 2), 0, now);
  EXPECT_EQ(rows_.done_due(now), now + 1s);
  EXPECT_THAT(rows_.done_words(now, false), IsEmpty());
  EXPECT_THAT(rows_.done_words(now + 1s, false), ElementsAre(Pair(1, done_word(7, 1))));
  EXPECT_EQ(rows_.done_due(now + 1s), now + 1s);
  EXPECT_THAT(rows_.done_words(now + 1s, false), ElementsAre(Pair(1, done_word(7, 1))));
  rows_.done_set(now + 1s);
  EXPECT_EQ(rows_.done_due(now + 1s), TimePoint::max());
  EXPECT_EQ(rows_.size(), 1U);
}

TEST_F(HeldRowsTest, WhatIsConfirmedWhileAMarkIsWrittenIsMarkedNext) {
  HeldRow& row = hold(1, 3, 2);
  rows_.confirmed(row, 0, now);
  rows_.done_words(now + 1s, false);
  rows_.confirmed(row, 1, now + 1s);
  rows_.done_set(now + 1s);
  ASSERT_EQ(rows_.size(), 1U);
  EXPECT_THAT(rows_.done_words(now + 2s, false), ElementsAre(Pair(1, done_word(7, 3))));
  rows_.done_set(now + 2s);
  EXPECT_TRUE(rows_.empty());
}

TEST_F(HeldRowsTest, KnowsWhatTheTableKnows) {
  HeldRow& row = hold(1, 2, 0, done_word(7, 2));
  EXPECT_TRUE(row.has_unsent());
  EXPECT_EQ(row.bits(), 2U);
  rows_.not_sent(row, now);
  EXPECT_TRUE(rows_.empty());  // nothing to tell
  HeldRow& other = hold(2, 2, 0, done_word(8, 2));
  EXPECT_EQ(other.bits(), 0U);
}

TEST_F(HeldRowsTest, OneBurialOfARowAtATimeAndTheLastIsWhole) {
  HeldRow& row = hold(1, 2, 2);
  rows_.died(row, 0, dead(1), now);
  rows_.died(row, 1, dead(1), now);
  auto burials = rows_.burials();
  ASSERT_THAT(burials, SizeIs(1));
  EXPECT_FALSE(burials[0].is_whole);
  EXPECT_EQ(burials[0].done, done_word(7, 1));
  rows_.buried(now);
  burials = rows_.burials();
  ASSERT_THAT(burials, SizeIs(1));
  EXPECT_TRUE(burials[0].is_whole);
  rows_.buried(now);
  EXPECT_TRUE(rows_.empty());
  EXPECT_FALSE(rows_.has_dead());
}

TEST_F(HeldRowsTest, ABurialThatFailsIsRepeated) {
  rows_.bury_whole(dead(4));
  EXPECT_THAT(rows_.burials(), SizeIs(1));
  EXPECT_TRUE(rows_.has_dead());
  EXPECT_THAT(rows_.burials(), SizeIs(1));
  rows_.buried(now);
  EXPECT_TRUE(rows_.empty());
}

TEST_F(HeldRowsTest, ARowWhoseOtherTargetsDiedIsRemovedWhenTheLastConfirms) {
  HeldRow& row = hold(1, 2, 2);
  rows_.died(row, 0, dead(1), now);
  rows_.burials();
  rows_.confirmed(row, 1, now);  // while it is buried
  rows_.buried(now);
  EXPECT_THAT(rows_.removals(), ElementsAre(1));
}

TEST_F(HeldRowsTest, AReplayIsForTheTargetThatFailed) {
  HeldRow& row = hold(1, 3, 3);
  rows_.died(row, 1, dead(1), now);
  ASSERT_THAT(rows_.burials(), SizeIs(1));
  EXPECT_EQ(rows_.burials().at(0).replay_done, done_word(row.fingerprint, 5));
  rows_.buried(now);
  rows_.died(hold(2, 1, 1), 0, dead(2), now);
  EXPECT_EQ(rows_.burials().at(0).replay_done, 0U) << "there are no others";
}

TEST_F(HeldRowsTest, WithoutALeaseOnlyRemovalsAreOfInterest) {
  hold(1, 2, 1);
  rows_.confirmed(hold(2, 2, 1), 0, now);
  rows_.died(hold(3, 1, 1), 0, dead(3), now);
  rows_.confirmed(hold(4), 0, now);
  rows_.lost_lease();
  EXPECT_EQ(rows_.size(), 2U);  // in flight, and to be removed
  EXPECT_FALSE(rows_.has_dead());
  EXPECT_EQ(rows_.done_due(now), TimePoint::max());
  EXPECT_THAT(rows_.removals(), ElementsAre(4));
}

/// Somebody else may have marked more since.
TEST_F(HeldRowsTest, AStaleRowIsNotMarkedBeforeItIsReadAgain) {
  HeldRow& row = hold(1, 3, 2);
  rows_.lost_lease();
  rows_.has_lease();
  rows_.confirmed(row, 0, now);
  EXPECT_EQ(rows_.done_due(now), TimePoint::max());
  OutboxRow read;
  read.id = 1;
  read.done = done_word(7, 4);
  rows_.learn(row, read, 7, now);
  EXPECT_THAT(rows_.done_words(now + 1s, false), ElementsAre(Pair(1, done_word(7, 5))));
}

TEST_F(HeldRowsTest, MoreTargetsThanBitsAreAllWaitedFor) {
  HeldRow& row = hold(1, 60, 60);
  for (std::uint32_t bit = 0; bit < 59; ++bit) rows_.confirmed(row, bit, now);
  EXPECT_THAT(rows_.removals(), IsEmpty());
  EXPECT_EQ(row.bits(), done_bits_mask);
  rows_.confirmed(row, 59, now);
  EXPECT_THAT(rows_.removals(), ElementsAre(1));
}

}  // namespace
}  // namespace action_triggers::detail
