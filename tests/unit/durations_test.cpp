// SPDX-License-Identifier: MIT
// The longest durations there are: a call that gets one waits for its event.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>

#include "action_triggers/memory.hpp"
#include "action_triggers/testing/in_memory_broker.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "support/registries.hpp"
#include "support/waiting_call.hpp"
#include "unit/configs.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using tests::WaitingCall;

class DurationsTest : public ::testing::Test {
 protected:
  ~DurationsTest() override { memory_->release(); }

  std::unique_ptr<TriggerDispatcher> make(const std::function<void(BrokerConfig&)>& adjust = {}) {
    return std::make_unique<TriggerDispatcher>(tests::config_of({"a"}, adjust), tests::registry_of(memory_->maker()));
  }
  static std::shared_ptr<InMemoryBroker> held() {
    auto memory = std::make_shared<InMemoryBroker>();
    memory->hold();
    return memory;
  }

  const std::shared_ptr<InMemoryBroker> memory_ = held();
};

TEST_F(DurationsTest, FlushWaitsForTheLongestDuration) {
  const auto dispatcher = make();
  dispatcher->fire("a", "x");
  bool flushed = false;
  WaitingCall flush([&] { flushed = dispatcher->flush(std::chrono::seconds::max()); });
  EXPECT_TRUE(flush.waits());
  memory_->release();
  flush.join();
  EXPECT_TRUE(flushed);
}

TEST_F(DurationsTest, CloseWaitsForTheLongestDuration) {
  const auto dispatcher = make();
  const Delivery delivery = dispatcher->fire("a", "x");
  CloseReport report;
  WaitingCall close([&] { report = dispatcher->close(std::chrono::hours::max()); });
  EXPECT_TRUE(close.waits());
  memory_->release();
  close.join();
  EXPECT_EQ(report.delivered, 1U);
  EXPECT_THAT(delivery.wait(), testing::IsOk());
}

TEST_F(DurationsTest, WaitForWaitsForTheLongestDuration) {
  const auto dispatcher = make();
  const Delivery delivery = dispatcher->fire("a", "x");
  const DeliveryReport* report = nullptr;
  WaitingCall wait([&] { report = delivery.wait_for(std::chrono::hours::max()); });
  EXPECT_TRUE(wait.waits());
  memory_->release();
  wait.join();
  ASSERT_NE(report, nullptr);
  EXPECT_THAT(*report, testing::IsOk());
}

TEST_F(DurationsTest, AMessageMayHaveTheLongestTimeout) {
  const auto dispatcher = make([](BrokerConfig& config) { config.timeout = std::chrono::milliseconds::max(); });
  const Delivery delivery = dispatcher->fire("a", "x");
  WaitingCall wait([&] { static_cast<void>(delivery.wait()); });
  EXPECT_TRUE(wait.waits());
  memory_->release();
  EXPECT_THAT(delivery.wait(), testing::IsOk());
}

TEST_F(DurationsTest, AProducerMayBlockForTheLongestTime) {
  const auto dispatcher = make([](BrokerConfig& config) {
    config.max_queued_messages = 1;
    config.overflow = Overflow::block;
    config.max_block = std::chrono::milliseconds::max();
  });
  const Delivery first = dispatcher->fire("a", "1");
  Delivery second;
  WaitingCall fire([&] { second = dispatcher->fire("a", "2"); });
  EXPECT_TRUE(fire.waits());
  memory_->release();
  fire.join();
  EXPECT_THAT(second.wait(), testing::IsOk());
}

}  // namespace
}  // namespace action_triggers
