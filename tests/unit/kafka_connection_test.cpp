// SPDX-License-Identifier: MIT
// KafkaBroker against librdkafka's mock cluster: what becomes of the connection, and of messages when it ends.
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "brokers/kafka/kafka_broker.hpp"
#include "brokers/kafka/kafka_client.hpp"
#include "support/host_names.hpp"
#include "support/kafka_lane.hpp"
#include "support/mock_cluster.hpp"
#include "support/refusing_kafka_server.hpp"

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/kafka.hpp"
#include "action_triggers/trigger_dispatcher.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using tests::config_for;
using tests::KafkaLane;
using tests::message_of;
using tests::MockCluster;
using tests::refused;
using tests::RefusingKafkaServer;
using tests::SlowNames;
using tests::TestMessage;

// -----------------------------------------------------------------------------------------------------------------
// connection

TEST(KafkaConnectionTest, AWrongPropertyDisconnectsWithTheReasonAndWithoutTheSecret) {
  KafkaConfig config = config_for(refused);
  config.properties["acks"] = "several";
  KafkaLane lane({config});
  lane.connect();
  ASSERT_THAT(lane.disconnects, SizeIs(1));
  EXPECT_EQ(lane.disconnects[0].code(), StatusCode::invalid_argument);
  EXPECT_THAT(lane.disconnects[0].message(), HasSubstr("acks"));

  KafkaConfig secretive = config_for(refused);
  secretive.secret_properties["acks"] = Secret("hunter2");
  KafkaLane other({secretive});
  other.connect();
  ASSERT_THAT(other.disconnects, SizeIs(1));
  EXPECT_THAT(other.disconnects[0].message(), Not(HasSubstr("hunter2")));
}

TEST(KafkaConnectionTest, TheClientReconnectsAfterThePausesOfRetry) {
  KafkaConfig config = config_for(refused);
  config.retry.initial_backoff = 70ms;
  config.retry.max_backoff = 700ms;
  const auto value_of = [&](const char* property) {
    std::array<char, 64> value{};
    std::size_t size = value.size();
    EXPECT_EQ(rd_kafka_conf_get(make_kafka_conf(config).get(), property, value.data(), &size), RD_KAFKA_CONF_OK);
    return std::string(value.data());
  };
  EXPECT_EQ(value_of("reconnect.backoff.ms"), "70");
  EXPECT_EQ(value_of("reconnect.backoff.max.ms"), "700");
  config.properties["reconnect.backoff.max.ms"] = "900";
  EXPECT_EQ(value_of("reconnect.backoff.max.ms"), "900");
  config.retry.initial_backoff = 24h;  // more than librdkafka takes
  EXPECT_EQ(value_of("reconnect.backoff.ms"), "3600000");
}

TEST(KafkaConnectionTest, ThePauseBeforeTheClientsOwnRetryIsTheOneThatIsAskedFor) {
  const auto longest_with = [&](const char* pause) {
    KafkaConfig config = config_for(refused);
    config.properties["retry.backoff.ms"] = pause;
    std::array<char, 64> value{};
    std::size_t size = value.size();
    const KafkaConf conf = make_kafka_conf(config);
    const bool has_limit =
        rd_kafka_conf_get(conf.get(), "retry.backoff.max.ms", value.data(), &size) == RD_KAFKA_CONF_OK;
    return has_limit ? std::stoi(value.data()) : 300'000;  // before librdkafka 2.3 there was none
  };
  EXPECT_GE(longest_with("20000"), 20'000);
  EXPECT_GE(longest_with("100"), 1'000);
}

TEST(KafkaConnectionTest, AnUnreachableClusterIsDisconnectedUntilItAnswers) {
  MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  ASSERT_THAT(lane.reconnects, ElementsAre(Pair(true, ""))) << "not connected yet";
  ASSERT_TRUE(lane.deliver(message_of("x")).status.ok());
  ASSERT_TRUE(lane.run_until([&] { return lane.reconnects.size() == 2; }));
  EXPECT_FALSE(lane.reconnects[1].first);
  cluster.set_down();
  lane.add(message_of("waits"));
  ASSERT_TRUE(lane.run_until([&] { return lane.reconnects.size() == 3; }));
  EXPECT_TRUE(lane.reconnects[2].first);
  EXPECT_THAT(lane.reconnects[2].second, AllOf(HasSubstr(cluster.bootstrap()), HasSubstr("refused")));
  EXPECT_THAT(lane.disconnects, IsEmpty());
  EXPECT_FALSE(lane.run_until_completed(200ms));
  cluster.set_up();
  ASSERT_TRUE(lane.run_until_completed(20s));
  EXPECT_TRUE(lane.messages.back()->outcomes[0].status.ok());
  ASSERT_TRUE(lane.run_until([&] { return lane.reconnects.size() == 4; }));
  EXPECT_FALSE(lane.reconnects[3].first);
  EXPECT_THAT(lane.blocks, IsEmpty());
}

TEST(KafkaConnectionTest, AServerThatDoesNotAnswerIsNotCalledConnected) {
  const RefusingKafkaServer silent;
  KafkaLane lane({config_for(silent.bootstrap())});
  lane.connect();
  lane.add(message_of("x"));
  EXPECT_FALSE(lane.run_until_completed(1s));
  EXPECT_THAT(lane.reconnects, ElementsAre(Pair(true, "")));
}

TEST(KafkaConnectionTest, StatsAndWhatTimesOutSayWhyThereIsNoConnection) {
  const Config config = parse_config(R"({"brokers": {"orders": {"broker_type": "kafka",
      "conn_details": {"bootstrap_servers": "127.0.0.1:1"}, "params": {"topic": "orders", "timeout_secs": 2}}}})");
  TriggerDispatcher dispatcher(config);
  EXPECT_EQ(dispatcher.stats().brokers["orders"].state, ConnectionState::connecting);
  const DeliveryReport report = dispatcher.fire("orders", "x").wait();
  EXPECT_EQ(report.status.code(), StatusCode::timed_out);
  EXPECT_THAT(report.status.message(), AllOf(HasSubstr("waiting for a connection"), HasSubstr("refused")));
  const BrokerStats stats = dispatcher.stats().brokers["orders"];
  EXPECT_EQ(stats.state, ConnectionState::disconnected);
  EXPECT_THAT(stats.last_error, HasSubstr("refused"));
}

TEST(KafkaConnectionTest, AnAddressThatRefusesIsNoOutageWhileTheHostHasAnother) {
  const MockCluster cluster;
  const std::string bootstrap = cluster.bootstrap();
  for (int round = 0; round < 8; ++round) {
    KafkaConfig config = config_for(tests::host_with_two_addresses + bootstrap.substr(bootstrap.find(':')));
    config.retry.max_attempts = 1;
    KafkaLane lane({config});
    lane.connect();
    EXPECT_TRUE(lane.deliver(message_of("x")).status.ok()) << lane.messages[0]->outcomes[0].status;
    EXPECT_THAT(lane.disconnects, IsEmpty());
  }
}

TEST(KafkaConnectionTest, AnIdleConnectionThatIsClosedIsNoOutage) {
  const MockCluster cluster;
  KafkaConfig config = config_for(cluster.bootstrap());
  config.retry.max_attempts = 1;
  config.properties["connections.max.idle.ms"] = "1000";
  config.properties["debug"] = "broker";
  KafkaLane lane({config});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("x")).status.ok());
  const auto was_closed = [&] {
    return std::any_of(lane.logs.begin(), lane.logs.end(), [](const std::string& text) {
      return text.find("max idle time exceeded") != std::string::npos;
    });
  };
  ASSERT_TRUE(lane.run_until(was_closed));
  EXPECT_FALSE(lane.run_until([&] { return !lane.disconnects.empty(); }, 3s));
  EXPECT_THAT(lane.reconnects, ElementsAre(Pair(true, ""), Pair(false, "")));
  EXPECT_TRUE(lane.deliver(message_of("y")).status.ok());
}

TEST(KafkaConnectionTest, AFailureIsLoggedOnce) {
  std::vector<std::string> logs;
  std::mutex mutex;
  const Config config = parse_config(R"({"brokers": {"orders": {"broker_type": "kafka",
      "conn_details": {"bootstrap_servers": "127.0.0.1:1"},
      "params": {"topic": "orders", "retry": {"max_attempts": 1}}}}})");
  DispatcherOptions options;
  options.log = [&](LogLevel, std::string_view, std::string_view text) {
    const std::lock_guard lock(mutex);
    logs.emplace_back(text);
  };
  TriggerDispatcher dispatcher(config, BrokerRegistry::builtin(), std::move(options));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(dispatcher.fire("orders", "x").wait().status.code(), StatusCode::unavailable);
  }
  const std::lock_guard lock(mutex);
  EXPECT_THAT(logs, ElementsAre(AllOf(HasSubstr("cannot connect"), HasSubstr("refused"))));
}

TEST(KafkaConnectionTest, AnUnreachableClusterIsUnavailableWhereAttemptsAreLimited) {
  for (int round = 0; round < 5; ++round) {
    KafkaConfig config = config_for(refused);
    config.retry.max_attempts = 2;
    KafkaLane lane({config});
    lane.connect();
    // The refusal is there before the lane's first turn (or the client had it even before it could say so): the message
    // is tried nevertheless, or it would never be.
    pollfd news{.fd = lane.broker->wait_request().fd, .events = POLLIN, .revents = 0};
    static_cast<void>(::poll(&news, 1, 50));
    lane.add(message_of("x"));
    ASSERT_TRUE(lane.run_until_disconnected());
    EXPECT_EQ(lane.disconnects[0].code(), StatusCode::unavailable);
    EXPECT_THAT(lane.disconnects[0].message(), HasSubstr(refused));
    ASSERT_EQ(lane.completed, 1U) << "round " << round;
    EXPECT_EQ(lane.messages[0]->outcomes[0].status.code(), StatusCode::unavailable);
    EXPECT_EQ(lane.messages[0]->outcomes[0].persistence, Persistence::not_persisted);
  }
}

TEST(KafkaConnectionTest, SaysNothingOnStandardError) {
  ::testing::internal::CaptureStderr();
  {
    KafkaConfig config = config_for(refused);
    config.properties["debug"] = "broker";
    KafkaLane lane({config});
    lane.connect();
    lane.add(message_of("x"));
    EXPECT_TRUE(lane.run_until([&] { return lane.reconnects.size() == 2; }));
    EXPECT_THAT(lane.logs, Contains(HasSubstr("refused")));
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

KafkaConfig config_with_login(const std::string& bootstrap) {
  KafkaConfig config = config_for(bootstrap);
  config.properties["security.protocol"] = "SASL_PLAINTEXT";
  config.properties["sasl.mechanism"] = "PLAIN";
  config.properties["sasl.username"] = "user";
  config.secret_properties["sasl.password"] = Secret("hunter2");
  return config;
}

TEST(KafkaConnectionTest, ARefusedLoginIsReportedAtOnce) {
  RefusingKafkaServer server;
  KafkaLane lane({config_with_login(server.bootstrap())});
  lane.connect();
  lane.add(message_of("x"));
  ASSERT_TRUE(lane.run_until([&] { return lane.unsent() == 0; }));  // the client has it
  server.begin_to_answer();
  const TimePoint begin = Clock::now();
  ASSERT_TRUE(lane.run_until_disconnected());
  EXPECT_LT(Clock::now() - begin, 3s);
  EXPECT_EQ(lane.disconnects[0].code(), StatusCode::unauthenticated) << lane.disconnects[0];
  EXPECT_THAT(lane.disconnects[0].message(), Not(HasSubstr("hunter2")));
  // Not `unavailable`: with retry.max_attempts the lane would report that instead.
  ASSERT_EQ(lane.completed, 1U);
  EXPECT_EQ(lane.messages[0]->outcomes[0].status.code(), StatusCode::unauthenticated);
}

TEST(KafkaConnectionTest, AConnectionThatIsLostDuringALoginIsNoRefusal) {
  RefusingKafkaServer server;
  server.cut_logins();
  server.begin_to_answer();
  KafkaLane lane({config_with_login(server.bootstrap())});
  lane.connect();
  lane.add(message_of("x"));
  ASSERT_TRUE(lane.run_until([&] { return lane.reconnects.size() == 2; }));
  EXPECT_THAT(lane.reconnects[1].second, HasSubstr("handshake failed"));
  EXPECT_FALSE(lane.run_until([&] { return lane.completed > 0; }, 300ms));
  EXPECT_THAT(lane.disconnects, IsEmpty());
}

// -----------------------------------------------------------------------------------------------------------------
// fatal errors

TEST(KafkaConnectionTest, WhatNobodyMayDoIsNotTriedUntilTheDeadline) {
  MockCluster cluster;
  cluster.fail_producer_id({RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED});
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  lane.add(message_of("x", "key"));
  ASSERT_TRUE(lane.run_until_disconnected());
  EXPECT_EQ(lane.disconnects[0].code(), StatusCode::permission_denied) << lane.disconnects[0];
  EXPECT_THAT(lane.disconnects[0].message(), HasSubstr("IDEMPOTENT_WRITE"));
  ASSERT_EQ(lane.completed, 1U);
  EXPECT_EQ(lane.messages[0]->outcomes[0].status.code(), StatusCode::permission_denied);
}

TEST(KafkaConnectionTest, AFatalErrorGivesEverythingBackAndANewClientGoesOn) {
  MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("before", "key")).status.ok());
  cluster.fail_produce({RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
  for (int i = 0; i < 1'000; ++i) lane.add(message_of(std::to_string(i), "key"));
  ASSERT_TRUE(lane.run_until_disconnected());
  EXPECT_EQ(lane.disconnects[0].code(), StatusCode::unavailable) << lane.disconnects[0];
  EXPECT_THAT(lane.disconnects[0].message(), HasSubstr("fatal"));
  std::size_t held = 0;
  for (const auto& message : lane.messages) {
    ASSERT_LE(message->outcomes.size(), 1U);
    if (message->outcomes.empty()) continue;
    ++held;
    EXPECT_TRUE(message->outcomes[0].status.ok() || message->outcomes[0].status.retryable())
        << message->outcomes[0].status;
  }
  EXPECT_EQ(held + lane.unsent(), lane.messages.size());  // completed, or never taken

  lane.connect();
  lane.offer_failed_again();
  ASSERT_TRUE(lane.run_until([&] {
    return std::all_of(lane.messages.begin(), lane.messages.end(), [](const auto& message) {
      return !message->outcomes.empty() && message->outcomes.back().status.ok();
    });
  }));
}

// -----------------------------------------------------------------------------------------------------------------
// close

TEST(KafkaConnectionTest, CloseIsBoundedAndForgetsEverythingWhileBrokersAreDown) {
  MockCluster cluster(3);
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("x")).status.ok());
  for (int broker = 1; broker <= 3; ++broker) cluster.set_down(broker);
  for (int i = 0; i < 10'000; ++i) lane.add(message_of(std::string(1'000, 'x')));
  ASSERT_TRUE(lane.run_until([&] { return lane.unsent() == 0; }));
  const TimePoint begin = Clock::now();
  lane.broker->close(lane, 1'500ms);
  EXPECT_LT(Clock::now() - begin, 2'500ms);
  EXPECT_EQ(lane.completed, lane.messages.size());
  for (const auto& message : lane.messages) EXPECT_THAT(message->outcomes, SizeIs(1));
  lane.messages.clear();  // sanitizers would see a touch
  lane.broker.reset();
}

TEST(KafkaConnectionTest, CloseTakesBackWhatIsOnTheWire) {
  MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("x")).status.ok());
  cluster.set_round_trip(60s);
  for (int i = 0; i < 20; ++i) lane.add(message_of(std::string(100'000, 'x'), "key"));
  EXPECT_FALSE(lane.run_until_completed(100ms));
  const TimePoint begin = Clock::now();
  lane.broker->close(lane, 1'500ms);
  EXPECT_LT(Clock::now() - begin, 2'500ms);
  EXPECT_EQ(lane.completed, lane.messages.size());
  EXPECT_EQ(lane.messages[1]->outcomes[0].persistence, Persistence::possibly_persisted);
  lane.messages.clear();
  lane.broker.reset();
}

TEST(KafkaConnectionTest, CloseDoesNotWaitForANameServer) {
  TimePoint begin;
  {
    const SlowNames names;
    KafkaLane lane({config_for("broker.example:9092")});
    lane.connect();
    lane.add(message_of("x"));
    ASSERT_TRUE(lane.run_until([&] { return lane.unsent() == 0; }));
    SlowNames::wait_for_a_lookup();
    begin = Clock::now();
    lane.broker->close(lane, 1'500ms);
    EXPECT_LT(Clock::now() - begin, 2s);
    EXPECT_EQ(lane.completed, 1U);
    begin = Clock::now();
  }
  EXPECT_LT(Clock::now() - begin, 2s);
}

TEST(KafkaConnectionTest, CloseDoesNotWaitForMessagesOfAThreadThatLooksUpAName) {
  MockCluster cluster;
  KafkaConfig config = config_for(cluster.bootstrap());
  config.properties["broker.address.ttl"] = "1";
  KafkaLane lane({config});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("x", "key")).status.ok());
  {
    const SlowNames names;
    cluster.set_down();
    SlowNames::wait_for_a_lookup();
    lane.add(message_of("y", "key"));
    ASSERT_TRUE(lane.run_until([&] { return lane.unsent() == 0; }));
    const TimePoint begin = Clock::now();
    lane.broker->close(lane, 1'500ms);
    lane.broker.reset();
    EXPECT_LT(Clock::now() - begin, 2'500ms);
    lane.messages.clear();  // the lane reports what is left; sanitizers would see a touch
  }
}

TEST(KafkaConnectionTest, ADispatcherIsGoneInTimeWithANameServerThatDoesNotAnswer) {
  std::vector<DeliveryReport> reports;
  TimePoint begin;
  {
    const SlowNames names;
    const Config config = parse_config(R"({"brokers": {"orders": {"broker_type": "kafka",
        "conn_details": {"bootstrap_servers": "broker.example:9092"}, "params": {"topic": "orders"}}}})");
    {
      DispatcherOptions options;
      options.close_timeout = 100ms;
      TriggerDispatcher dispatcher(config, BrokerRegistry::builtin(), std::move(options));
      dispatcher.fire("orders", "x", [&](const DeliveryReport& report) { reports.push_back(report); });
      SlowNames::wait_for_a_lookup();
      begin = Clock::now();
      const CloseReport left = dispatcher.close(100ms);
      EXPECT_LT(Clock::now() - begin, 2'200ms);
      EXPECT_EQ(left.abandoned, 1U);
      EXPECT_EQ(left.unfinished, 0U);
      ASSERT_THAT(reports, SizeIs(1)) << "reported before close() returned";
      EXPECT_EQ(reports[0].status.code(), StatusCode::closed) << reports[0].status;
      begin = Clock::now();
    }
    EXPECT_LT(Clock::now() - begin, 2'200ms);
  }
}

/// In a child of fork(): what went wrong, 0 if nothing did.
int use_in_child(KafkaLane& lane, const TestMessage& message) {
  alarm(10);  // a client without its threads can wait for ever
  const OutboundMessage* const batch[] = {&message};
  lane.broker->poll(lane);
  if (lane.broker->send(batch, lane) != 0) return 1;  // the client took it, though nobody will send it
  const TimePoint begin = Clock::now();
  lane.broker->close(lane, 1'500ms);
  if (Clock::now() - begin > 1s) return 2;  // it waited for the message that the client holds
  lane.broker.reset();
  return 0;
}

TEST(KafkaConnectionTest, AChildOfForkLeavesTheClientAlone) {
  MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("x")).status.ok());
  cluster.set_round_trip(500ms);  // so that the client holds the next message for a while
  TestMessage& message = lane.add(message_of("y"));
  ASSERT_TRUE(lane.run_until([&] { return lane.unsent() == 0; }));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(use_in_child(lane, message));
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << (WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  ASSERT_TRUE(lane.run_until_completed());
  EXPECT_TRUE(message.outcomes.at(0).status.ok());
}

}  // namespace
}  // namespace action_triggers::detail
