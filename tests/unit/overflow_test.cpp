// SPDX-License-Identifier: MIT
// A destination at its bounds: what fire() does then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "action_triggers/testing/matchers.hpp"
#include "support/dispatcher_test.hpp"
#include "support/gate.hpp"
#include "support/waiting_call.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using testing::HasCode;
using testing::IsOk;
using testing::PersistenceIs;

class OverflowTest : public tests::DispatcherTest {};

TEST_F(OverflowTest, RejectsOverItsBoundsAtOnceAndOnlyForThatName) {
  memory_->hold();
  auto& dispatcher = make({"a", "b"}, [](BrokerConfig& config) { config.max_queued_messages = 2; });
  std::vector<Delivery> fired;
  for (int i = 0; i < 3; ++i) fired.push_back(dispatcher.fire("a", "x"));
  ASSERT_TRUE(fired[2].done());
  EXPECT_THAT(fired[2].wait(), HasCode(StatusCode::queue_full));
  EXPECT_THAT(fired[2].wait(), PersistenceIs(Persistence::not_persisted));
  EXPECT_FALSE(dispatcher.fire("b", "x").done());
  memory_->release();
  EXPECT_THAT(fired[0].wait(), IsOk());
  EXPECT_THAT(fired[1].wait(), IsOk());
}

TEST_F(OverflowTest, WhoHearsOfAnOutcomeHasRoomForTheNextFire) {
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) { config.max_queued_messages = 1; });
  for (int i = 0; i < 1'000; ++i) ASSERT_THAT(dispatcher.fire("a", "x").wait(), IsOk()) << i;
  tests::Gate gate;
  int left = 1'000;
  std::vector<StatusCode> codes;
  DeliveryCallback again = [&](const DeliveryReport& report) {
    codes.push_back(report.status.code());
    if (--left == 0) return gate.open();
    dispatcher.fire("a", "x", again);
  };
  dispatcher.fire("a", "x", again);
  ASSERT_TRUE(gate.wait());
  EXPECT_THAT(codes, ::testing::Each(StatusCode::ok));
}

TEST_F(OverflowTest, BoundsCountBytes) {
  memory_->hold();
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) { config.max_queued_bytes = 100; });
  EXPECT_FALSE(dispatcher.fire("a", std::string(60, 'x')).done());
  EXPECT_THAT(dispatcher.fire("a", std::string(60, 'x')).wait(), HasCode(StatusCode::queue_full));
  EXPECT_FALSE(dispatcher.fire("a", std::string(40, 'x')).done());
  EXPECT_THAT(dispatcher.fire("a", std::string(101, 'x')).wait(), HasCode(StatusCode::too_large));
  EXPECT_EQ(dispatcher.stats().brokers.at("a").queued_bytes, 100U);
  memory_->release();
}

TEST_F(OverflowTest, BlockWaitsForRoom) {
  memory_->hold();
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) {
    config.max_queued_messages = 1;
    config.overflow = Overflow::block;
    config.max_block = 10min;
  });
  const Delivery first = dispatcher.fire("a", "1");
  Delivery second;
  tests::WaitingCall fire([&] { second = dispatcher.fire("a", "2"); });
  EXPECT_TRUE(fire.waits());
  EXPECT_FALSE(first.done());
  EXPECT_GE(dispatcher.stats().brokers.at("a").queued, 1U);
  EXPECT_FALSE(fire.returned()) << "while there was no room";
  memory_->release();
  fire.join();
  EXPECT_THAT(first.wait(), IsOk());
  EXPECT_THAT(second.wait(), IsOk());
}

TEST_F(OverflowTest, BlockGivesUpAfterItsBudget) {
  memory_->hold();
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) {
    config.max_queued_messages = 1;
    config.overflow = Overflow::block;
    config.max_block = 30ms;
  });
  const Delivery first = dispatcher.fire("a", "1");
  const auto begin = Clock::now();
  EXPECT_THAT(dispatcher.fire("a", "2").wait(), HasCode(StatusCode::queue_full));
  EXPECT_GE(Clock::now() - begin, 30ms);
  memory_->release();
}

TEST_F(OverflowTest, CloseFreesAProducerThatBlocks) {
  memory_->hold();
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) {
    config.max_queued_messages = 1;
    config.overflow = Overflow::block;
    config.max_block = 10min;
  });
  const Delivery first = dispatcher.fire("a", "1");
  Delivery second;
  tests::WaitingCall fire([&] { second = dispatcher.fire("a", "2"); });
  EXPECT_TRUE(fire.waits());
  EXPECT_GE(dispatcher.stats().brokers.at("a").queued, 1U);
  EXPECT_FALSE(fire.returned()) << "while there was no room";
  EXPECT_EQ(dispatcher.close(0s).abandoned, 1U);
  fire.join();
  EXPECT_THAT(second.wait(), HasCode(StatusCode::closed));
}

TEST_F(OverflowTest, DropOldestReportsTheOldest) {
  memory_->block();
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) {
    config.max_queued_messages = 2;
    config.overflow = Overflow::drop_oldest;
  });
  std::vector<Delivery> fired;
  for (int i = 0; i < 3; ++i) fired.push_back(dispatcher.fire("a", std::to_string(i)));
  EXPECT_THAT(fired[0].wait(), HasCode(StatusCode::queue_full));
  memory_->unblock();
  EXPECT_THAT(fired[1].wait(), IsOk());
  EXPECT_THAT(fired[2].wait(), IsOk());
}

}  // namespace
}  // namespace action_triggers
