// SPDX-License-Identifier: MIT
#include "outbox/stops.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const TimePoint now = TimePoint(1h);

OutboxRow row(std::int64_t id, const char* key = nullptr) {
  OutboxRow one;
  one.id = id;
  if (key != nullptr) one.key = key;
  return one;
}

TEST(StopsTest, HoldsLaterRowsOfAKey) {
  Stops stops;
  ASSERT_TRUE(stops.stop_key("a", 5, now));
  EXPECT_TRUE(stops.holds(row(5, "a")));
  EXPECT_TRUE(stops.holds(row(6, "a")));
  EXPECT_FALSE(stops.holds(row(4, "a")));
  EXPECT_FALSE(stops.holds(row(6, "b")));
  EXPECT_FALSE(stops.holds(row(6)));
  EXPECT_EQ(stops.lowest(), 5);
}

TEST(StopsTest, TriesTheDeadRowAgainAfterAMinute) {
  Stops stops;
  ASSERT_TRUE(stops.stop_key("a", 5, now));
  ASSERT_TRUE(stops.stop_key("b", 3, now));
  EXPECT_EQ(stops.next_due(), now + 60s);
  EXPECT_THAT(stops.due(now + 59s, 10), IsEmpty());
  EXPECT_THAT(stops.due(now + 60s, 10), ElementsAre(3, 5));
  EXPECT_THAT(stops.due(now + 61s, 10), IsEmpty());
  stops.retry_all(now + 62s);
  EXPECT_THAT(stops.due(now + 62s, 1), ElementsAre(5));
  EXPECT_THAT(stops.due(now + 62s, 1), ElementsAre(3));
}

TEST(StopsTest, GoesOnWhenTheDeadRowHasArrived) {
  Stops stops;
  ASSERT_TRUE(stops.stop_key("a", 5, now));
  EXPECT_FALSE(stops.resume(6));
  EXPECT_TRUE(stops.resume(5));
  EXPECT_TRUE(stops.empty());
  stops.stop_all(5, now);
  EXPECT_TRUE(stops.holds(row(1)));
  EXPECT_TRUE(stops.is_dead(5));
  EXPECT_TRUE(stops.resume(5));
  EXPECT_FALSE(stops.holds(row(1)));
}

TEST(StopsTest, TheEarliestDeadRowCounts) {
  Stops stops;
  ASSERT_TRUE(stops.stop_key("a", 5, now));
  ASSERT_TRUE(stops.stop_key("a", 7, now));
  EXPECT_EQ(stops.lowest(), 5);
  ASSERT_TRUE(stops.stop_key("a", 2, now));
  EXPECT_EQ(stops.lowest(), 2);
  stops.stop_all(4, now);
  stops.stop_all(9, now);
  EXPECT_TRUE(stops.is_dead(4));
}

TEST(StopsTest, KeepsABoundedNumberOfKeys) {
  Stops stops;
  for (std::size_t i = 0; i < Stops::most_keys; ++i) ASSERT_TRUE(stops.stop_key("key" + std::to_string(i), 5, now));
  EXPECT_FALSE(stops.stop_key("one more", 6, now));
  EXPECT_EQ(stops.keys(), Stops::most_keys);
  Stops large;
  EXPECT_TRUE(large.stop_key(std::string(Stops::most_key_bytes, 'k'), 1, now));
  EXPECT_FALSE(large.stop_key("k", 2, now));
}

}  // namespace
}  // namespace action_triggers::detail
