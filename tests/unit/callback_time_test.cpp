// SPDX-License-Identifier: MIT
#include "dispatch/callback_time.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;

class CallbackTimeTest : public ::testing::Test {
 protected:
  /// Runs callbacks of this length until their time is up, 1,000 at most. How many.
  int run(std::chrono::nanoseconds length) {
    for (int ran = 1; ran <= 1'000; ++ran) {
      time_.begins();
      now_ += length;
      if (time_.is_up()) return ran;
    }
    return 0;
  }

  TimePoint now_{};
  int readings_ = 0;
  const std::function<TimePoint()> clock_ = [this] {
    ++readings_;
    return now_;
  };
  CallbackTime time_{clock_};
};

TEST_F(CallbackTimeTest, SlowCallbacksHaveTenMilliseconds) { EXPECT_EQ(run(1ms), 10); }

TEST_F(CallbackTimeTest, OneThatIsVerySlowIsTheLast) { EXPECT_EQ(run(1s), 1); }

TEST_F(CallbackTimeTest, QuickOnesHardlyReadTheClock) {
  EXPECT_EQ(run(1us), 0);
  EXPECT_LT(readings_, 1'000 / 7);
  EXPECT_LE(run(1s), 8) << "and those that follow are noticed soon";
}

}  // namespace
}  // namespace action_triggers::detail
