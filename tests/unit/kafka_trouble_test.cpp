// SPDX-License-Identifier: MIT
// KafkaBroker against librdkafka's mock cluster: what it says of brokers and connections that do not work, beside
// others that do.
#include <gmock/gmock.h>

#include <chrono>
#include <string>
#include <thread>

#include "brokers/kafka/kafka_connection_watch.hpp"
#include "support/host_names.hpp"
#include "support/kafka_lane.hpp"
#include "support/mock_cluster.hpp"
#include "support/request_limit.hpp"

#include "action_triggers/config.hpp"
#include "action_triggers/trigger_dispatcher.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::_;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Pair;
using tests::config_for;
using tests::KafkaLane;
using tests::message_of;
using tests::MockCluster;
using tests::refused;

/// A dispatcher with one Kafka destination, `orders`.
struct OneDestination {
  OneDestination(const std::string& bootstrap, const std::string& params)
      : dispatcher(parse_config(R"({"brokers": {"orders": {"broker_type": "kafka",
            "conn_details": {"bootstrap_servers": ")" +
                                bootstrap + R"("}, "params": {"topic": "orders", )" + params + R"(}}}})")) {}
  BrokerStats stats() const { return dispatcher.stats().brokers.at("orders"); }
  TriggerDispatcher dispatcher;
};

/// Two brokers, of which the second one leads all partitions of the topic `orders`.
struct TwoBrokers {
  TwoBrokers() {
    cluster.create_topic("orders");
    for (int partition = 0; partition < 4; ++partition) cluster.set_leader("orders", partition, 2);
  }
  MockCluster cluster{2};
  const std::string both = cluster.bootstrap();
  const std::string first = both.substr(0, both.find(','));
  const int port_of_second = std::stoi(both.substr(both.rfind(':') + 1));
};

TEST(KafkaTroubleTest, AMessageThatWaitsForABrokerWhichCannotBeReachedSaysSo) {
  const TwoBrokers brokers;
  const tests::ClosedPort closed(brokers.port_of_second);
  OneDestination orders(brokers.first, R"("timeout_secs": 4)");
  const Delivery delivery = orders.dispatcher.fire("orders", "x");
  while (!delivery.done() && orders.stats().last_error.empty()) std::this_thread::sleep_for(5ms);
  EXPECT_FALSE(delivery.done()) << "the statistics say it before the deadline";
  EXPECT_EQ(orders.stats().state, ConnectionState::connected);
  const auto names_it = AllOf(HasSubstr("a broker cannot be reached: 127.0.0.1:"), HasSubstr("/2: "),
                              HasSubstr("refused"), HasSubstr("advertised.listeners"));
  EXPECT_THAT(orders.stats().last_error, names_it);
  EXPECT_EQ(delivery.wait().status.code(), StatusCode::timed_out);
  EXPECT_THAT(delivery.wait().status.message(), names_it);
}

TEST(KafkaTroubleTest, ABrokerThatCanBeReachedAgainIsNoTroubleAnyMore) {
  const TwoBrokers brokers;
  KafkaLane lane({config_for(brokers.first)});
  {
    const tests::ClosedPort closed(brokers.port_of_second);
    lane.connect();
    lane.add(message_of("x"));
    ASSERT_TRUE(lane.run_until([&] { return lane.reconnects.back().second.find("refused") != std::string::npos; }));
    EXPECT_FALSE(lane.reconnects.back().first) << "the other broker answers";
  }
  ASSERT_TRUE(lane.run_until_completed(20s));
  ASSERT_TRUE(lane.run_until([&] { return lane.reconnects.back().second.empty(); }));
  EXPECT_FALSE(lane.reconnects.back().first);
  EXPECT_THAT(lane.reconnects, Contains(Pair(true, _)).Times(1)) << "before the first answer";
}

TEST(KafkaTroubleTest, AMessageWithoutAConfirmationSaysWhatTheClientDoesNotReport) {
  MockCluster cluster;
  cluster.create_topic("orders");
  for (int partition = 0; partition < 4; ++partition) cluster.set_leader("orders", partition, -1);
  OneDestination orders(cluster.bootstrap(), R"("timeout_secs": 2)");
  const DeliveryReport report = orders.dispatcher.fire("orders", "x").wait();
  EXPECT_EQ(report.status.code(), StatusCode::timed_out);
  EXPECT_THAT(report.status.message(), AllOf(HasSubstr("no leader"), HasSubstr("min.insync.replicas"),
                                             HasSubstr("disk"), HasSubstr("tries again by itself")));
}

TEST(KafkaTroubleTest, AConnectionThatWasDroppedSilentlyCostsNoMessage) {
  const MockCluster cluster;
  OneDestination orders(cluster.bootstrap(), R"("timeout_secs": 20)");
  ASSERT_TRUE(orders.dispatcher.fire("orders", "first").wait().status.ok());
  tests::lose_next_request();
  const DeliveryReport report = orders.dispatcher.fire("orders", "x").wait();
  EXPECT_TRUE(report.status.ok()) << report.status;
}

// -----------------------------------------------------------------------------------------------------------------
// without the client's word that all brokers are down, which some versions never give

std::string failure_of(const std::string& broker) {
  return broker + ": Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)";
}

TEST(KafkaConnectionWatchTest, AnUnreachableClusterIsNoticedWithoutTheClientsWord) {
  const KafkaConfig config = config_for("a:1,b:1");
  KafkaLane lane({config});
  KafkaSigns signs;
  KafkaConnectionWatch watch(config);
  watch.restart();
  const TimePoint now = Clock::now();
  const auto fail = [&](const std::string& broker) {
    watch.failed(failure_of(broker), now, lane);
    watch.look(signs, now);
  };
  fail("a:1/bootstrap");
  EXPECT_FALSE(watch.is_in_doubt()) << "the other server may be there";
  fail("b:1/bootstrap");
  ASSERT_TRUE(watch.is_in_doubt());
  EXPECT_FALSE(watch.is_down(true, now + 900ms));
  EXPECT_TRUE(watch.is_down(true, now + 1'100ms));
  EXPECT_THAT(watch.why_down(), AllOf(HasSubstr("a:1,b:1"), HasSubstr("b:1/bootstrap: Connect"), HasSubstr("refused")));
}

TEST(KafkaConnectionWatchTest, AClusterIsDownWhenEveryBrokerThatEverAnsweredHasFailed) {
  const KafkaConfig config = config_for("a:1");
  KafkaLane lane({config});
  KafkaSigns signs;
  KafkaConnectionWatch watch(config);
  watch.restart();
  TimePoint now = Clock::now();
  const auto answer = [&](std::int32_t broker) {
    signs.latest_answers[broker] = ++signs.answers;
    watch.look(signs, now);
    EXPECT_TRUE(watch.has_answered(signs.answers));
    static_cast<void>(watch.tell_up(lane));
  };
  const auto fail = [&](const std::string& broker) {
    watch.failed(failure_of(broker), now, lane);
    watch.look(signs, now);
  };
  answer(-1);
  answer(1);
  answer(2);
  fail("a:1/1");
  EXPECT_FALSE(watch.is_in_doubt());
  EXPECT_EQ(watch.trouble(now), "") << "the host may have another address";
  now += 2s;
  EXPECT_THAT(watch.trouble(now), HasSubstr("a broker cannot be reached: a:1/1: Connect"));
  watch.failed("b:1/2: Disconnected (after 600000ms in state UP)", now, lane);
  watch.look(signs, now);
  EXPECT_FALSE(watch.is_in_doubt()) << "a connection that ended is no broker that cannot be reached";
  fail("ssl://b:1/2");
  ASSERT_TRUE(watch.is_in_doubt());
  EXPECT_FALSE(watch.is_down(true, now + 3'900ms)) << "there may be more brokers, which were not asked yet";
  EXPECT_TRUE(watch.is_down(true, now + 4'100ms));
  watch.all_down(now);
  EXPECT_TRUE(watch.is_down(true, now + 1'100ms)) << "the client knows";
  answer(2);
  EXPECT_FALSE(watch.is_in_doubt());
  answer(1);
  EXPECT_EQ(watch.trouble(now), "");
}

}  // namespace
}  // namespace action_triggers::detail
