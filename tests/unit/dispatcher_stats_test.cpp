// SPDX-License-Identifier: MIT
// Dispatcher::stats(), and health(), of lanes that run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/health.hpp"
#include "support/dispatcher_test.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class DispatcherStatsTest : public tests::DispatcherTest {
 protected:
  template <class Condition>
  static bool eventually(Condition is_so) {
    return tests::eventually(is_so, 30s);
  }
  [[nodiscard]] bool becomes(HealthState state) const {
    return eventually([&] { return dispatcher_->health().state == state; });
  }
  BrokerStats stats(const std::string& name = "a") { return dispatcher_->stats().brokers.at(name); }
};

TEST_F(DispatcherStatsTest, TheOldestMessageAges) {
  auto& dispatcher = make({"a", "b"});
  memory_->hold();
  EXPECT_EQ(stats().oldest_age, 0ns);
  const auto before = Clock::now();
  dispatcher.fire("a", "x");
  ASSERT_TRUE(eventually([&] { return stats().oldest_age > 20ms; }));
  const auto age = stats().oldest_age;
  EXPECT_LE(age, Clock::now() - before);
  EXPECT_EQ(stats("b").oldest_age, 0ns);
  memory_->release();
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_TRUE(eventually([&] { return stats().oldest_age == 0ns; }));
}

TEST_F(DispatcherStatsTest, WhatComesNextIsNotAsOldAsWhatWasThereBefore) {
  auto& dispatcher = make({"a"});
  memory_->hold();
  dispatcher.fire("a", "x");
  ASSERT_TRUE(eventually([&] { return stats().oldest_age > 20ms; }));
  memory_->release();
  ASSERT_TRUE(dispatcher.flush(30s));
  ASSERT_EQ(stats().oldest_age, 0ns);
  std::chrono::nanoseconds age{-1};
  dispatcher.fire("a", "y", [&](const DeliveryReport&) {  // where nobody is asked
    dispatcher.fire("a", "z");
    age = stats().oldest_age;
  });
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_EQ(age, 0ns);
}

TEST_F(DispatcherStatsTest, WhatADestinationHeldBeforeAReloadAgesOn) {
  auto& dispatcher = make({"a"});
  memory_->hold();
  dispatcher.fire("a", "x");
  const auto other = [](const std::string& connection) {
    return tests::config_of({"a"}, [&](BrokerConfig& config) { config.connection_key = connection; });
  };
  dispatcher.reload(other("another"));  // its lane ends when "x" is delivered
  EXPECT_TRUE(eventually([&] { return stats().oldest_age > 20ms; }));
  memory_->release();
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_TRUE(eventually([&] { return stats().oldest_age == 0ns; }));
}

TEST_F(DispatcherStatsTest, ALaneThatAReloadTakesAwayHasNoSeries) {
  auto& dispatcher = make({"a", "b"}, [](BrokerConfig& config) { config.connection_key = config.name; });
  tests::Gate entered;
  tests::Gate may_leave;
  dispatcher.on("e", "function", [&](const Event&) {
    entered.open();
    may_leave.wait();
    return std::vector<AddressedMessage>();
  });
  std::thread emits([&] { dispatcher.emit("e", "{}"); });
  EXPECT_TRUE(entered.wait());
  std::thread reloads([&] { dispatcher.reload(tests::config_of({"c"})); });  // it waits for the function
  EXPECT_TRUE(eventually([&] { return dispatcher.stats().brokers.contains("c"); }));
  const Stats meanwhile = dispatcher.stats();
  may_leave.open();
  emits.join();
  reloads.join();
  ASSERT_THAT(meanwhile.connections, SizeIs(1));
  EXPECT_EQ(meanwhile.connections[0].name, "c");
}

TEST_F(DispatcherStatsTest, ALaneThatACallbackHoldsUpIsNotWaitedForLong) {
  tests::Gate entered;
  tests::Gate may_leave;
  auto& dispatcher = make({"a"});
  dispatcher.fire("a", "x", [&](const DeliveryReport&) {
    entered.open();
    may_leave.wait();
  });
  ASSERT_TRUE(entered.wait());
  dispatcher.fire("a", "y");
  const auto before = Clock::now();
  EXPECT_EQ(stats().queued, 1U);
  EXPECT_LT(Clock::now() - before, 10s);
  may_leave.open();
  ASSERT_TRUE(dispatcher.flush(30s));
}

TEST_F(DispatcherStatsTest, ACallbackMayAsk) {
  auto& dispatcher = make({"a"});
  std::uint64_t delivered = 0;
  dispatcher.fire("a", "x", [&](const DeliveryReport&) {
    dispatcher.fire("a", "y");
    delivered = dispatcher.stats().brokers.at("a").delivered;
  });
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_EQ(delivered, 1U);
}

TEST_F(DispatcherStatsTest, ConnectionsHaveTheirDestinations) {
  make({"a", "b", "c"}, [](BrokerConfig& config) { config.connection_key = config.name == "c" ? "other" : "one"; });
  ASSERT_TRUE(dispatcher_->wait_until_connected(30s));
  const Stats stats = dispatcher_->stats();
  ASSERT_THAT(stats.connections, SizeIs(2));
  const bool first_is_one = stats.connections[0].name == "a";
  const ConnectionStats& one = stats.connections[first_is_one ? 0 : 1];
  const ConnectionStats& other = stats.connections[first_is_one ? 1 : 0];
  EXPECT_THAT(one.destinations, ElementsAre("a", "b"));
  EXPECT_EQ(one.broker_type, "subject");
  EXPECT_EQ(one.state, ConnectionState::connected);
  EXPECT_EQ(one.down_since, WallTime());
  EXPECT_LE(one.since, stats.taken_at);
  EXPECT_GT(one.since, stats.taken_at - 1h);
  EXPECT_EQ(other.name, "c");
  EXPECT_EQ(stats.brokers.at("b").connection, "a");
  EXPECT_EQ(stats.brokers.at("c").connection, "c");
  EXPECT_EQ(stats.brokers.at("a").broker_type, "subject");
}

TEST_F(DispatcherStatsTest, ADestinationIsFullWhenOneOfItsNameIs) {
  BrokerRegistry registry = BrokerRegistry::builtin();
  registry.add("memory", memory_->maker());
  dispatcher_.emplace(parse_config(R"({"brokers": {"a": {"broker_type": "memory"}},
                                       "triggers": {"t": {"events": ["e"], "targets": [
                                         {"broker": "a", "params": {"max_queued_messages": 1}}]}}})"),
                      registry);
  memory_->hold();
  dispatcher_->emit("e", "{}");
  ASSERT_EQ(dispatcher_->emit("e", "{}")[0].wait().status.code(), StatusCode::queue_full);
  const Health health = dispatcher_->health();
  memory_->release();
  EXPECT_EQ(health.state, HealthState::degraded);
  ASSERT_THAT(health.reasons, SizeIs(1));
  EXPECT_THAT(health.reasons[0].what, HasSubstr("full"));
}

TEST_F(DispatcherStatsTest, LatenciesSurviveAReload) {
  auto& dispatcher = make({"a"});
  for (int i = 0; i < 5; ++i) dispatcher.fire("a", "x");
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_EQ(stats().latency.count, 5U);
  for (std::size_t bytes = 1'000; bytes < 1'003; ++bytes) {  // what was replaced is freed by the next one
    dispatcher.reload(tests::config_of({"a"}, [&](BrokerConfig& config) { config.max_queued_bytes = bytes; }));
  }
  dispatcher.fire("a", "x");
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_EQ(stats().latency.count, 6U);
  EXPECT_TRUE(eventually([&] { return stats().max_queued_bytes == 1'002U; })) << "of those that there are";
}

TEST_F(DispatcherStatsTest, HealthFollowsTheConnection) {
  memory_->go_down({StatusCode::unavailable, "told to be down"});
  make({"a"}, [](BrokerConfig& config) { config.retry = {{}, 1ms, 5ms}; });
  ASSERT_TRUE(becomes(HealthState::down));
  ASSERT_TRUE(eventually([&] { return stats().last_error == "unavailable: told to be down"; }));
  ASSERT_TRUE(eventually([&] { return dispatcher_->stats().connections[0].failed_attempts_since > 1; }));
  const Health health = dispatcher_->health();
  EXPECT_THAT(health.reasons[0].what, HasSubstr("told to be down"));
  EXPECT_THAT(health.reasons[0].tried, HasSubstr("attempts to connect"));
  memory_->go_up();
  ASSERT_TRUE(becomes(HealthState::ok));
  memory_->disconnect();
  ASSERT_TRUE(eventually([&] { return dispatcher_->stats().connections[0].reconnects == 1; }));
  EXPECT_TRUE(becomes(HealthState::ok));
}

TEST_F(DispatcherStatsTest, HealthFollowsWhatIsDelivered) {
  auto& dispatcher = make({"a"});
  memory_->unroutable_next();
  dispatcher.fire("a", "x");
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_EQ(dispatcher.health().state, HealthState::degraded);
  ASSERT_TRUE(stats().trouble);
  EXPECT_EQ(stats().trouble->code, StatusCode::unroutable);
  const BrokerStats found = stats();  // of one moment: clocks are compared anew each time
  EXPECT_LT(std::chrono::abs(found.last_error_at - found.trouble->latest), 1s);
  dispatcher.fire("a", "x");
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_TRUE(dispatcher.health().ok());
  EXPECT_FALSE(stats().trouble);
  memory_->block();
  ASSERT_TRUE(becomes(HealthState::degraded));
  memory_->unblock();
  ASSERT_TRUE(becomes(HealthState::ok));
  dispatcher.close(1s);
  EXPECT_EQ(dispatcher.health().state, HealthState::down);
}

}  // namespace
}  // namespace action_triggers
