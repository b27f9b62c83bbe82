// SPDX-License-Identifier: MIT
#include "outbox/sweep.hpp"

#include <gtest/gtest.h>

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t least_id = std::numeric_limits<std::int64_t>::min();
const TimePoint now = TimePoint(1h);

ReadResult up_to(std::int64_t id, bool is_complete) {
  ReadResult result;
  result.rows.resize(1);
  result.rows[0].id = id;
  result.is_complete = is_complete;
  return result;
}

TEST(SweepTest, GoesOnWhereALimitStoppedItForATwentiethOfTheTime) {
  Sweep sweep;
  sweep.begin(100, now);
  EXPECT_EQ(sweep.next(500, now), (IdRange{least_id, 100}));
  sweep.read(up_to(40, false), now, now + 10ms);
  EXPECT_EQ(sweep.next_due(), now + 10ms + 190ms);
  EXPECT_EQ(sweep.next(500, now), (IdRange{41, 100}));
}

TEST(SweepTest, BeginsAgainAMinuteAfterItsEnd) {
  Sweep sweep;
  sweep.begin(100, now);
  sweep.next(500, now);
  sweep.read(up_to(40, true), now, now);
  EXPECT_EQ(sweep.next_due(), now + 60s);
  EXPECT_EQ(sweep.next(500, now + 60s), (IdRange{least_id, 500}));
}

}  // namespace
}  // namespace action_triggers::detail
