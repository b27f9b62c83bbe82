// SPDX-License-Identifier: MIT
#include "action_triggers/trigger_dispatcher.hpp"
#include "action_triggers/broker_registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "action_triggers/json.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/testing/mock_broker.hpp"
#include "support/dispatcher_test.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::SizeIs;
using tests::DispatcherTest;
using tests::hearing_failures;

constexpr const char* uuid_version_7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

TEST_F(DispatcherTest, DeliversAMessageWithAllItsParts) {
  auto& dispatcher = make({"orders"});
  const Message message{.body = "{}",
                        .key = "k",
                        .headers = {{"a", "1"}, {"a", "2"}},
                        .content_type = "application/json",
                        .id = "mine",
                        .expiration = 5s,
                        .priority = std::uint8_t{3}};
  const DeliveryReport& report = dispatcher.fire("orders", message).wait();
  EXPECT_THAT(report, IsOk());
  EXPECT_EQ(report.message_id, "mine");
  EXPECT_EQ(report.broker, "orders");
  EXPECT_EQ(report.attempts, 1U);
  EXPECT_GT(report.latency, 0ns);
  EXPECT_THAT(memory_->messages("orders"), ElementsAre(message));
}

TEST_F(DispatcherTest, BytesAreABody) {
  auto& dispatcher = make({"orders"});
  const std::vector<std::byte> bytes{std::byte{0}, std::byte{255}};
  const std::array<std::uint8_t, 3> more{1, 0, 2};
  const std::span<const std::byte> none;
  dispatcher.fire("orders", bytes);
  dispatcher.fire("orders", more);
  dispatcher.fire("orders", none);
  dispatcher.fire("orders", std::span(bytes), [](const DeliveryReport& report) { EXPECT_THAT(report, IsOk()); });
  ASSERT_TRUE(dispatcher.flush());
  const auto arrived = memory_->messages("orders");
  ASSERT_THAT(arrived, SizeIs(4));
  EXPECT_EQ(arrived[0].body, std::string("\0\377", 2));
  EXPECT_EQ(arrived[1].body, std::string("\1\0\2", 3));
  EXPECT_EQ(arrived[2].body, "");
  EXPECT_EQ(arrived[3].body, arrived[0].body);
}

TEST_F(DispatcherTest, JsonOfBothKindsIsAPayloadAndMayHaveAKey) {
  auto& dispatcher = make({"orders"});
  dispatcher.fire("orders", nlohmann::ordered_json{{"z", 1}, {"a", 2}});
  dispatcher.fire("orders", json_message(nlohmann::json{{"z", 1}, {"a", 2}}, "order-42"));
  ASSERT_TRUE(dispatcher.flush());
  const auto arrived = memory_->messages("orders");
  ASSERT_THAT(arrived, SizeIs(2));
  EXPECT_EQ(arrived[0].body, R"({"z":1,"a":2})");
  EXPECT_EQ(arrived[1].body, R"({"a":2,"z":1})");
  EXPECT_EQ(arrived[1].key, "order-42");
  EXPECT_EQ(arrived[1].content_type, "application/json");
}

TEST_F(DispatcherTest, CanBeMoved) {
  auto& dispatcher = make({"orders"});
  TriggerDispatcher moved = std::move(dispatcher);
  EXPECT_THAT(moved.fire("orders", "x").wait(), IsOk());
  dispatcher_.emplace(tests::config_of({"other"}), tests::registry_of(memory_->maker()));
  *dispatcher_ = std::move(moved);
  EXPECT_THAT(dispatcher_->fire("orders", "y").wait(), IsOk());
  EXPECT_THAT(memory_->messages("orders"), SizeIs(2));
}

TEST_F(DispatcherTest, CloseTakesItsTimeFromTheOptions) {
  DispatcherOptions options;
  options.close_timeout = 0ms;
  auto& dispatcher = make({"orders"}, {}, std::move(options));
  memory_->hold();
  const Delivery delivery = dispatcher.fire("orders", "x");
  const CloseReport left = dispatcher.close();
  EXPECT_EQ(left.abandoned, 1U);
  EXPECT_THAT(delivery.wait(), HasCode(StatusCode::closed));
}

TEST_F(DispatcherTest, OptionsMayFollowTheConfiguration) {
  int failures = 0;
  TriggerDispatcher dispatcher(parse_config(R"({"brokers": {"a": {"broker_type": "memory"}}})"),
                               hearing_failures([&](const DeliveryReport&) { ++failures; }));
  dispatcher.fire("nobody", "x");
  EXPECT_EQ(failures, 1);
}

TEST_F(DispatcherTest, AnOutcomeCanBeWaitedForUntilATime) {
  auto& dispatcher = make({"orders"});
  memory_->hold();
  const Delivery delivery = dispatcher.fire("orders", "x");
  EXPECT_EQ(delivery.wait_until(std::chrono::steady_clock::now() + 10ms), nullptr);
  EXPECT_EQ(delivery.wait_until(std::chrono::system_clock::time_point::min()), nullptr);
  memory_->release();
  ASSERT_NE(delivery.wait_until(std::chrono::system_clock::time_point::max()), nullptr);
  EXPECT_THAT(*delivery.wait_until(std::chrono::steady_clock::time_point::max()), IsOk());
}

TEST(PrintingTest, ReportsStatesAndLevels) {
  const auto printed = [](const auto& value) {
    std::ostringstream out;
    out << value;
    return out.str();
  };
  DeliveryReport report;
  report.status = {StatusCode::unroutable, "no queue"};
  report.attempts = 1;
  report.latency = 1'500us;
  report.message_id = "order-42";
  report.broker = "orders";
  EXPECT_EQ(printed(report), "orders order-42: unroutable: no queue (not_persisted, 1 attempt, 1500 us)");
  report.status = {};
  report.persistence = Persistence::persisted;
  report.attempts = 2;
  report.partition = 3;
  report.offset = 4;
  EXPECT_EQ(printed(report), "orders order-42: ok (persisted, 2 attempts, 1500 us, partition 3, offset 4)");
  EXPECT_EQ(printed(ConnectionState::blocked), "blocked");
  EXPECT_EQ(printed(LogLevel::warning), "warning");
}

TEST(StatusTest, SaysWhoIsAtFault) {
  for (std::size_t i = 0; i < status_code_count; ++i) {
    const Status status(static_cast<StatusCode>(i), "");
    EXPECT_EQ(status.permanent(),
              status.code() == StatusCode::invalid_argument || status.code() == StatusCode::too_large);
    EXPECT_FALSE(status.permanent() && status.retryable());
  }
}

TEST_F(DispatcherTest, MakesAUuidVersion7WhereTheApplicationGivesNoId) {
  auto& dispatcher = make({"orders"});
  const Delivery first = dispatcher.fire("orders", "1");
  const Delivery second = dispatcher.fire("orders", "2");
  EXPECT_THAT(first.wait().message_id, ::testing::MatchesRegex(uuid_version_7));
  EXPECT_LT(first.wait().message_id, second.wait().message_id) << "UUIDv7 sorts by time";
}

TEST_F(DispatcherTest, AnUnknownNameIsAnOutcomeNotAnException) {
  std::atomic<int> failures{0};
  auto& dispatcher = make({"orders"}, {}, hearing_failures([&](const DeliveryReport&) { ++failures; }));
  const Delivery delivery = dispatcher.fire("odrers", "x");
  ASSERT_TRUE(delivery.done());
  EXPECT_THAT(delivery.wait(), HasCode(StatusCode::not_found));
  EXPECT_EQ(delivery.wait().status.message(),
            "no destination is named 'odrers' in the configuration. Did you mean 'orders'?");
  EXPECT_EQ(dispatcher.fire("bills", "x").wait().status.message(),
            "no destination is named 'bills' in the configuration");
  EXPECT_EQ(failures, 2);
  EXPECT_EQ(dispatcher.stats().unknown_broker, 2U);
}

TEST_F(DispatcherTest, NamesWithEqualConnectionsShareALane) {
  EXPECT_EQ(make({"a", "b", "c"}).stats().lanes, 1U);
  EXPECT_EQ(make({"a", "b", "c"}, [](BrokerConfig& config) { config.connection_key = config.name; }).stats().lanes, 3U);
  EXPECT_EQ(make({"a", "b"}, [](BrokerConfig& config) { config.connection_key = ""; }).stats().lanes, 2U);
}

TEST_F(DispatcherTest, RetriesALostConfirmationWithTheSameId) {
  auto& dispatcher = make({"a"});
  memory_->lose_confirmation_next();
  const Delivery delivery = dispatcher.fire("a", "once");
  EXPECT_THAT(delivery.wait(), IsOk());
  EXPECT_EQ(delivery.wait().attempts, 2U);
  const auto messages = memory_->messages("a");
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_EQ(messages[0].id, messages[1].id);
  EXPECT_EQ(dispatcher.stats().brokers.at("a").retried, 1U);
}

TEST_F(DispatcherTest, RecoversWhenTheBrokerComesBack) {
  memory_->go_down();
  auto& dispatcher = make({"a"});
  const Delivery delivery = dispatcher.fire("a", "x");
  memory_->go_up();
  EXPECT_THAT(delivery.wait(), IsOk());
}

TEST_F(DispatcherTest, ADefaultDeliverySaysThatItBelongsToNothing) {
  EXPECT_THROW(static_cast<void>(Delivery().done()), std::logic_error);
  EXPECT_THROW(static_cast<void>(Delivery().wait()), std::logic_error);
}

TEST_F(DispatcherTest, KeepsCausalOrderBetweenThreads) {
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) { config.max_queued_messages = 1'000'000; });
  constexpr int count = 20'000;
  std::atomic<int> turn{0};
  const auto player = [&](int me) {
    for (;;) {
      const int now = turn.load();
      if (now >= count) return;
      if (now % 2 != me) {
        std::this_thread::yield();
        continue;
      }
      dispatcher.fire("a", std::to_string(now));
      turn.store(now + 1);
    }
  };
  std::thread other(player, 1);
  player(0);
  other.join();
  ASSERT_TRUE(dispatcher.flush(60s));
  const auto messages = memory_->messages("a");
  ASSERT_THAT(messages, SizeIs(count));
  for (int i = 0; i < count; ++i) ASSERT_EQ(messages[static_cast<std::size_t>(i)].body, std::to_string(i));
}

TEST_F(DispatcherTest, TheNumberOfFiresNeverGoesBack) {
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) { config.overflow = Overflow::block; });
  constexpr int fires = 100'000;
  std::vector<std::thread> threads;
  std::atomic<int> firing{2};
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < fires; ++i) dispatcher.fire("a", "x");
      --firing;
    });
  }
  std::uint64_t last = 0;
  std::uint64_t went_back = 0;
  while (firing > 0) {
    const std::uint64_t now = dispatcher.stats().brokers.at("a").fired;
    if (now < last) ++went_back;
    last = now;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(went_back, 0U);
  EXPECT_LE(last, 2U * fires);
  EXPECT_EQ(dispatcher.stats().brokers.at("a").fired, 2U * fires);
}

TEST_F(DispatcherTest, StatsAddUp) {
  auto& dispatcher = make({"a"});
  memory_->unroutable_next(3);
  for (int i = 0; i < 10; ++i) dispatcher.fire("a", "x");
  ASSERT_TRUE(dispatcher.flush(30s));
  const BrokerStats stats = dispatcher.stats().brokers.at("a");
  EXPECT_EQ(stats.fired, 10U);
  EXPECT_EQ(stats.delivered, 7U);
  EXPECT_EQ(stats.failed, 3U);
  EXPECT_EQ(stats.by_status[static_cast<std::size_t>(StatusCode::unroutable)], 3U);
  EXPECT_EQ(stats.queued, 0U);
  EXPECT_EQ(stats.state, ConnectionState::connected);
  EXPECT_THAT(stats.last_error, HasSubstr("unroutable"));
  EXPECT_GT(stats.latency_p50, 0ns);
  EXPECT_LE(stats.latency_p50, stats.latency_p99);
  EXPECT_LE(stats.latency_p99, stats.latency_max);
}

TEST_F(DispatcherTest, AMockBrokerAnswersForTheHook) {
  auto mock = std::make_shared<testing::NiceMockBroker>();
  EXPECT_CALL(*mock, publish(std::string_view("a"), testing::BodyIs("x")))
      .WillOnce(::testing::Return(Status(StatusCode::too_large, "no")));
  BrokerRegistry registry;
  registry.add("subject", testing::maker(mock));
  TriggerDispatcher dispatcher(tests::config_of({"a"}), registry);
  EXPECT_THAT(dispatcher.fire("a", "x").wait(), HasCode(StatusCode::too_large));
}

TEST_F(DispatcherTest, LogsWhatTheConfigurationWarnsOf) {
  Config config = tests::config_of({"a"});
  config.warnings.push_back({.broker = "a", .text = "plaintext to a remote host"});
  BrokerRegistry registry;
  registry.add("subject", memory_->maker());
  std::vector<std::string> said;
  DispatcherOptions options;
  options.log = [&said](LogLevel level, std::string_view component, std::string_view text) {
    if (level == LogLevel::warning) said.push_back(std::string(component) + ": " + std::string(text));
  };
  { const TriggerDispatcher dispatcher(config, registry, std::move(options)); }
  EXPECT_THAT(said, ElementsAre("config: a: plaintext to a remote host"));
}

TEST_F(DispatcherTest, ATypeTheRegistryCannotMakeIsAnError) {
  EXPECT_THROW(TriggerDispatcher(tests::config_of({"a"}), BrokerRegistry()), std::runtime_error);
}

}  // namespace
}  // namespace action_triggers
