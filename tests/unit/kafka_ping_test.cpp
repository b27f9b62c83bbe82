// SPDX-License-Identifier: MIT
// `ping` of the Kafka backend, against librdkafka's mock cluster.
#include <gmock/gmock.h>

#include <string>
#include <utility>

#include "brokers/kafka/kafka_type.hpp"
#include "support/kafka_lane.hpp"
#include "support/mock_cluster.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using tests::config_for;
using tests::MockCluster;
using tests::read_topic;
using tests::refused;

TEST(KafkaPingTest, ProvesThatTheTopicExists) {
  MockCluster cluster;
  cluster.create_topic("orders");
  const PingReport report = ping_kafka(config_for(cluster.bootstrap()), {.timeout = 10s, .send = false});
  EXPECT_TRUE(report.status.ok()) << report.status;
  EXPECT_EQ(report.detail, "topic 'orders' exists (4 partitions)");
}

TEST(KafkaPingTest, SendsAndReadsBack) {
  MockCluster cluster;
  cluster.create_topic("orders");
  const PingReport report = ping_kafka(config_for(cluster.bootstrap()), {.timeout = 10s, .send = true});
  ASSERT_TRUE(report.status.ok()) << report.status;
  EXPECT_THAT(report.detail, HasSubstr("offset 0, and read back"));
  const auto received = read_topic(cluster, "orders", 1);
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_THAT(received[0].body, HasSubstr("action_triggers_ping"));
  EXPECT_THAT(received[0].headers, Contains(std::pair("action-triggers-ping", "1")));
}

TEST(KafkaPingTest, SaysWhatIsWrong) {
  MockCluster cluster;
  cluster.fail_topic("missing", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  const TimePoint begin = Clock::now();
  EXPECT_EQ(ping_kafka(config_for(cluster.bootstrap(), "missing"), {}).status.code(), StatusCode::not_found);
  const PingReport unreachable = ping_kafka(config_for(refused), {});
  EXPECT_EQ(unreachable.status.code(), StatusCode::unavailable);
  EXPECT_THAT(unreachable.status.message(), HasSubstr(refused));
  EXPECT_LT(Clock::now() - begin, 5s);
}

}  // namespace
}  // namespace action_triggers::detail
