// SPDX-License-Identifier: MIT
#include "outbox/gap_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <random>

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const TimePoint begin = TimePoint(1h);

ReadResult answer(std::initializer_list<std::int64_t> ids, Horizon horizon, bool is_complete = true) {
  ReadResult result;
  for (const std::int64_t id : ids) {
    OutboxRow row;
    row.id = id;
    result.rows.push_back(row);
  }
  result.horizon = horizon;
  result.is_complete = is_complete;
  return result;
}

TEST(GapListTest, ReadsARangeAgainSoonAndThenMoreRarely) {
  GapList gaps;
  gaps.add({3, 5}, {50, 60}, begin);
  EXPECT_THAT(gaps.due(begin + 3ms), IsEmpty());
  EXPECT_THAT(gaps.due(begin + 4ms), ElementsAre(IdRange{3, 5}));
  gaps.read_again(answer({}, {50, 60}), begin + 4ms);
  EXPECT_EQ(gaps.next_due(), begin + 12ms);
  TimePoint now = begin;
  for (int i = 0; i < 20; ++i) {
    now = gaps.next_due();
    gaps.due(now);
    gaps.read_again(answer({}, {50, 60}), now);
  }
  EXPECT_EQ(gaps.next_due(), now + 1s);
}

TEST(GapListTest, ARowThatHasComeTakesItsIdOut) {
  GapList gaps;
  gaps.add({3, 9}, {50, 60}, begin);
  gaps.due(begin + 4ms);
  gaps.read_again(answer({3, 6}, {50, 60}), begin + 4ms);
  EXPECT_THAT(gaps.due(begin + 1s), ElementsAre(IdRange{4, 5}, IdRange{7, 9}));
  gaps.read_again(answer({4, 5, 9}, {50, 60}), begin + 1s);
  EXPECT_THAT(gaps.due(begin + 9s), ElementsAre(IdRange{7, 8}));
}

TEST(GapListTest, ALimitLeavesTheRestForTheNextReading) {
  GapList gaps;
  gaps.add({3, 9}, {50, 60}, begin);
  gaps.due(begin + 4ms);
  gaps.read_again(answer({5}, {50, 60}, false), begin + 4ms);
  EXPECT_THAT(gaps.due(begin + 4ms), ElementsAre(IdRange{6, 9}));
}

TEST(GapListTest, EndsWhenTransactionsHaveEndedAndFiveSecondsHavePassed) {
  GapList gaps;
  gaps.add({3, 3}, {50, 60}, begin);
  gaps.due(begin + 200ms);
  gaps.read_again(answer({}, {70, 80}), begin + 200ms);  // 80: the numbers that count
  gaps.due(begin + 6s);
  gaps.read_again(answer({}, {79, 90}), begin + 6s);
  EXPECT_EQ(gaps.size(), 1U);
  gaps.due(begin + 8s);
  gaps.read_again(answer({}, {80, 90}), begin + 8s);
  EXPECT_EQ(gaps.size(), 0U);
}

TEST(GapListTest, LivesForFiveSecondsEvenIfNothingIsOpen) {
  GapList gaps;
  gaps.add({3, 3}, {60, 60}, begin);
  for (TimePoint now = begin + 200ms; now < begin + 5s; now += 200ms) {
    gaps.due(now);
    gaps.read_again(answer({}, {90, 90}), now);
  }
  EXPECT_EQ(gaps.size(), 1U);
  gaps.due(begin + 7s);
  gaps.read_again(answer({}, {90, 90}), begin + 7s);
  EXPECT_EQ(gaps.size(), 0U);
}

TEST(GapListTest, IsOpenUntilTransactionsHaveEnded) {
  GapList gaps;
  gaps.add({3, 3}, {60, 60}, begin);
  EXPECT_THAT(gaps.open(begin), ElementsAre(IdRange{3, 3}));
  gaps.read_along(answer({}, {60, 60}), begin);
  EXPECT_THAT(gaps.open(begin + 100ms), ElementsAre(IdRange{3, 3}));  // a number may have come late
  gaps.read_along(answer({}, {61, 62}), begin + 100ms);
  EXPECT_THAT(gaps.open(begin + 101ms), ElementsAre(IdRange{3, 3}));
  gaps.read_along(answer({}, {62, 62}), begin + 101ms);
  EXPECT_THAT(gaps.open(begin + 102ms), IsEmpty());
  EXPECT_EQ(gaps.size(), 1U);
}

TEST(GapListTest, WideAndJoinedRangesAreReadByThemselves) {
  GapList gaps;
  gaps.add({1, 10'000}, {50, 60}, begin);
  EXPECT_THAT(gaps.open(begin), IsEmpty());
  for (std::int64_t id = 20'000; id < 21'000; id += 2) gaps.add({id, id}, {50, 60}, begin);
  for (const IdRange& range : gaps.open(begin)) EXPECT_EQ(range.first, range.last);
}

TEST(GapListTest, WhereOneWritesAtATimeThereAreNone) {
  GapList gaps;
  gaps.add({3, 5}, {0, 0}, begin);
  EXPECT_EQ(gaps.size(), 0U);
}

TEST(GapListTest, JoinsTheNearestAndForgetsNone) {
  GapList gaps;
  for (std::int64_t id = 0; id < 10'000; id += 3) gaps.add({id, id}, {50, 60}, begin);
  EXPECT_EQ(gaps.size(), GapList::most_ranges);
  const std::vector<IdRange> ranges = gaps.due(begin + 1s);
  for (std::int64_t id = 0; id < 10'000; id += 3) {
    EXPECT_TRUE(std::any_of(ranges.begin(), ranges.end(),
                            [id](const IdRange& one) { return one.first <= id && id <= one.last; }));
  }
}

/// A transaction of somebody else is open, so that no range is over: the oldest ones are joined, or the rows of those
/// that are open now would not be read with newer ones, and overtaken.
TEST(GapListTest, KeepsTheNewestApart) {
  GapList gaps;
  std::mt19937 random(20261126);
  TimePoint now = begin;
  std::int64_t id = 0;
  std::vector<IdRange> added;
  for (int i = 0; i < 10'000; ++i, now += 5ms) {
    id += 2 + static_cast<std::int64_t>(random() % 30);
    added.push_back({id, id});
    gaps.add(added.back(), {50, static_cast<std::uint64_t>(id) + 60}, now);
  }
  const std::vector<IdRange> ranges = gaps.open(now);
  for (auto newest = added.end() - 200; newest != added.end(); ++newest) EXPECT_THAT(ranges, Contains(*newest));
}

/// If an old range took in younger ones again and again, it would never end.
TEST(GapListTest, OldOnesEndWhileNewOnesCome) {
  GapList gaps;
  TimePoint now = begin;
  for (std::int64_t id = 0; id < 60'000; id += 2, now += 1ms) {
    gaps.add({id, id}, {static_cast<std::uint64_t>(id) + 1, static_cast<std::uint64_t>(id) + 1}, now);
    if (id % 200 != 0) continue;
    gaps.due(now);
    gaps.read_again(answer({}, {static_cast<std::uint64_t>(id) + 1, static_cast<std::uint64_t>(id) + 1}), now);
  }
  EXPECT_GT(gaps.lowest().value_or(0), 60'000 - 2 * 10'000);  // ids of the last ten seconds
}

}  // namespace
}  // namespace action_triggers::detail
