// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/channel_limit.hpp"

#include <gtest/gtest.h>

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint start{1h};

void open(ChannelLimit& limit, int channels) {
  for (int i = 0; i < channels; ++i) limit.opened();
}

TEST(ChannelLimitTest, IsTheNegotiatedOneUntilTheBrokerRefusesAChannel) {
  ChannelLimit limit;
  EXPECT_EQ(limit.begin(2'047, start), 2'047);
  open(limit, 6);
  limit.closed();
  EXPECT_EQ(limit.refused(start), 5);
  EXPECT_EQ(limit.begin(2'047, start), 5);
  EXPECT_EQ(limit.begin(3, start), 3);
}

TEST(ChannelLimitTest, EveryRefusalLowersItAndTwoAreLeft) {
  ChannelLimit limit;
  EXPECT_EQ(limit.begin(2'047, start), 2'047);
  open(limit, 4);
  EXPECT_EQ(limit.refused(start), 4);
  EXPECT_EQ(limit.begin(2'047, start), 4);
  open(limit, 4);
  EXPECT_EQ(limit.refused(start), 3) << "although as many were open: one was too many";
  EXPECT_EQ(limit.begin(2'047, start), 3);
  EXPECT_EQ(limit.refused(start), 2);
  EXPECT_EQ(limit.begin(2'047, start), 2);
  EXPECT_EQ(limit.refused(start), 2);
}

TEST(ChannelLimitTest, IsForgottenSinceOthersMayHaveClosedTheirChannels) {
  ChannelLimit limit;
  EXPECT_EQ(limit.begin(2'047, start), 2'047);
  open(limit, 4);
  EXPECT_EQ(limit.refused(start), 4);
  EXPECT_EQ(limit.begin(2'047, start + ChannelLimit::holds_for - 1ms), 4);
  EXPECT_EQ(limit.begin(2'047, start + ChannelLimit::holds_for), 2'047);
}

}  // namespace
}  // namespace action_triggers::detail
