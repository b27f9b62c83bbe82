// SPDX-License-Identifier: MIT
// KafkaBroker against librdkafka's mock cluster: what becomes of messages.
#include "brokers/kafka/kafka_broker.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/kafka_lane.hpp"
#include "support/mock_cluster.hpp"
#include "support/request_limit.hpp"

#include "action_triggers/kafka.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using tests::config_for;
using tests::KafkaLane;
using tests::message_of;
using tests::MockCluster;
using tests::read_topic;
using tests::Received;
using tests::refused;
using tests::TestMessage;

// -----------------------------------------------------------------------------------------------------------------
// delivery

TEST(KafkaBrokerTest, ReportsPartitionAndOffset) {
  const MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  EXPECT_TRUE(lane.is_connected);  // at once: the client finds its brokers itself
  const Outcome first = lane.deliver(message_of("one", "key"));
  const Outcome second = lane.deliver(message_of("two", "key"));
  ASSERT_TRUE(first.status.ok()) << first.status;
  EXPECT_EQ(first.persistence, Persistence::persisted);
  EXPECT_GE(first.partition, 0);
  EXPECT_EQ(first.offset, 0);
  EXPECT_EQ(second.partition, first.partition);
  EXPECT_EQ(second.offset, 1);
}

TEST(KafkaBrokerTest, AHeaderWithoutANameIsInvalid) {
  const MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  Message nameless = message_of("nameless");
  nameless.headers = {{"tenant", "a"}, {"", "b"}};
  const Outcome outcome = lane.deliver(std::move(nameless));
  EXPECT_EQ(outcome.status.code(), StatusCode::invalid_argument) << outcome.status;
  EXPECT_EQ(outcome.status.message(), "a header has no name");
  EXPECT_EQ(outcome.persistence, Persistence::not_persisted);
  EXPECT_TRUE(lane.deliver(message_of("next")).status.ok());
}

TEST(KafkaBrokerTest, EveryPartOfAMessageArrives) {
  const MockCluster cluster;
  KafkaConfig config = config_for(cluster.bootstrap());
  config.message_id_header = "x-id";
  config.content_type = "text/plain";
  KafkaLane lane({config});
  lane.connect();
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte.push_back(static_cast<char>(byte));
  Message full = message_of(every_byte, std::string("k\0y", 3));
  full.headers = {{"tenant", "a"}, {"tenant", "b"}, {"empty", ""}};
  full.content_type = "application/octet-stream";
  full.id = "id-1";
  const Outcome outcome = lane.deliver(full);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  const auto received = read_topic(cluster, "orders", 1);
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_EQ(received[0].body, full.body);
  EXPECT_EQ(received[0].key, full.key);
  EXPECT_EQ(received[0].partition, outcome.partition);
  EXPECT_EQ(received[0].offset, outcome.offset);
  EXPECT_THAT(received[0].headers,
              ElementsAre(std::pair("tenant", "a"), std::pair("tenant", "b"), std::pair("empty", ""),
                          std::pair("content-type", "application/octet-stream"), std::pair("x-id", "id-1")));
}

TEST(KafkaBrokerTest, ATombstoneHasNoValueAndAnEmptyBodyIsOne) {
  const MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  Message empty = message_of("", "order-42");
  Message tombstone = message_of("not sent", "order-42");
  tombstone.properties = Properties{.tombstone = true};
  ASSERT_TRUE(lane.deliver(empty).status.ok());
  ASSERT_TRUE(lane.deliver(tombstone).status.ok());
  const auto received = read_topic(cluster, "orders", 2);
  ASSERT_THAT(received, SizeIs(2));
  EXPECT_TRUE(received[0].has_value);
  EXPECT_EQ(received[0].body, "");
  EXPECT_FALSE(received[1].has_value);
  EXPECT_EQ(received[1].key, "order-42");
}

TEST(KafkaBrokerTest, AMessageMayChooseItsPartitionAndItsTime) {
  const MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  for (const std::int32_t partition : {3, 0, 2}) {
    Message message = message_of("x", "the same key");
    message.properties = Properties{
        .timestamp = std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(1'700'000'000'123)),
        .partition = partition};
    message.headers = {Header::integer("n", 7), Header::boolean("b", true), Header::list("l", {"x", 1})};
    const Outcome outcome = lane.deliver(message);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status;
    EXPECT_EQ(outcome.partition, partition);
  }
  for (const auto& each : read_topic(cluster, "orders", 3)) {
    EXPECT_EQ(each.timestamp_ms, 1'700'000'000'123);
    ASSERT_GE(each.headers.size(), 3U);
    EXPECT_EQ(each.headers[0], std::pair(std::string("n"), std::string("7")));
    EXPECT_EQ(each.headers[1], std::pair(std::string("b"), std::string("true")));
    EXPECT_EQ(each.headers[2], std::pair(std::string("l"), std::string(R"(["x",1])")));
  }
}

TEST(KafkaBrokerTest, HeadersThatAreUsedAgainCarryTheIdOfTheirMessageAndNothingElse) {
  const MockCluster cluster;
  KafkaConfig first = config_for(cluster.bootstrap());
  KafkaConfig second = first;
  second.name = "second";
  second.message_id_header = "x-id";
  KafkaLane lane({first, second});
  lane.connect();
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> expected;
  const auto add = [&](std::uint32_t destination, std::string id, std::vector<Header> headers = {}) {
    Message message = message_of(std::to_string(expected.size()));
    message.id = std::move(id);
    message.headers = std::move(headers);
    auto& of_message = expected[message.body];
    for (const Header& header : message.headers) of_message.emplace_back(header.name, header.value);
    of_message.emplace_back(destination == 0 ? "message-id" : "x-id", message.id);
    lane.add(message, destination);
  };
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i) {
      const std::string number = std::to_string(round) + std::to_string(i);
      add(0, "id-" + number);
      add(1, "id-" + number);
      add(0, "a longer id " + number);
      add(0, "id-" + number, {{"message-id", "the application's own"}, {"tenant", number}});
      add(1, "x");
    }
    ASSERT_TRUE(lane.run_until_completed());  // so that the next round finds headers
  }
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> received;
  for (const Received& message : read_topic(cluster, "orders", expected.size())) {
    received[message.body] = message.headers;
  }
  EXPECT_EQ(received, expected);
}

TEST(KafkaBrokerTest, AnEmptyBodyIsAValueAndAnEmptyKeyIsNone) {
  const MockCluster cluster;
  KafkaConfig config = config_for(cluster.bootstrap());
  config.message_id_header.reset();
  config.content_type = "text/plain";
  KafkaLane lane({config});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("")).status.ok());
  const auto received = read_topic(cluster, "orders", 1);
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_TRUE(received[0].has_value);  // no value at all would be a tombstone
  EXPECT_TRUE(received[0].body.empty());
  EXPECT_FALSE(received[0].has_key);
  EXPECT_THAT(received[0].headers, ElementsAre(std::pair("content-type", "text/plain")));
}

TEST(KafkaBrokerTest, CompletesAHundredThousandExactlyOnce) {
  const MockCluster cluster(3);
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  const std::string body(4'096, 'x');
  for (int i = 0; i < 100'000; ++i) lane.add(message_of(body, std::to_string(i % 100)));
  ASSERT_TRUE(lane.run_until_completed(100s)) << lane.completed;
  for (const auto& message : lane.messages) {
    ASSERT_THAT(message->outcomes, SizeIs(1));
    ASSERT_TRUE(message->outcomes[0].status.ok()) << message->outcomes[0].status;
  }
}

/// Most of them come back together: of one partition, while the cluster answers late.
void send_many(MockCluster& cluster, KafkaLane& lane) {
  cluster.set_round_trip(200ms);
  lane.connect();
  for (int i = 0; i < 5'000; ++i) lane.add(message_of("x", "key"));
}

TEST(KafkaBrokerTest, ReportsThatComeTogetherAreServedInSeveralPolls) {
  MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  send_many(cluster, lane);
  std::size_t most = 0;
  ASSERT_TRUE(lane.run_until([&, before = std::size_t{0}]() mutable {
    most = std::max(most, lane.completed - before);
    before = lane.completed;
    return lane.completed == lane.messages.size();
  })) << lane.completed;
  EXPECT_LE(most, 512U);
  for (const auto& message : lane.messages) ASSERT_THAT(message->outcomes, SizeIs(1));
}

TEST(KafkaBrokerTest, ReportsThatWaitForTheNextPollAreServedByClose) {
  MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  send_many(cluster, lane);
  ASSERT_TRUE(lane.run_until([&, before = std::size_t{0}]() mutable {
    return lane.completed - std::exchange(before, lane.completed) == 512;  // the limit: there are more
  })) << lane.completed;
  lane.broker->close(lane, 2s);
  for (const auto& message : lane.messages) ASSERT_THAT(message->outcomes, SizeIs(1));
}

TEST(KafkaBrokerTest, KeepsTheOrderOfAKey) {
  MockCluster cluster(3);
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  // Refused requests are sent again by the client; that must not let later ones pass.
  cluster.fail_produce(
      {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT});
  for (int i = 0; i < 5'000; ++i) lane.add(message_of(std::to_string(i), std::to_string(i % 7)));
  ASSERT_TRUE(lane.run_until_completed(30s)) << lane.completed;
  // On a busy machine the client may conclude of a few that they were written: those are for the lane to send again.
  std::size_t unknown = 0;
  for (const auto& message : lane.messages) {
    const Outcome& outcome = message->outcomes.back();
    if (outcome.status.ok()) continue;
    EXPECT_TRUE(outcome.status.retryable()) << outcome.status;
    EXPECT_EQ(outcome.persistence, Persistence::possibly_persisted);
    ++unknown;
  }
  ASSERT_LT(unknown, 100U);
  std::map<std::string, int> newest;
  const auto received = read_topic(cluster, "orders", 5'000 - unknown);
  ASSERT_THAT(received, SizeIs(5'000 - unknown));
  for (const Received& message : received) {
    const int number = std::stoi(message.body);
    const auto [at, is_first] = newest.emplace(message.key, number);
    if (is_first) continue;
    if (unknown == 0) {
      EXPECT_EQ(number, at->second + 7) << "key " << message.key;
    } else {
      EXPECT_GT(number, at->second) << "key " << message.key;
    }
    at->second = number;
  }
}

TEST(KafkaBrokerTest, TwoDestinationsMayShareATopic) {
  const MockCluster cluster;
  KafkaConfig first = config_for(cluster.bootstrap());
  KafkaConfig second = first;
  second.name = "second";
  second.timeout = 60s;
  second.message_id_header = "x-id";
  KafkaLane lane({first, config_for(cluster.bootstrap(), "other"), second});
  lane.connect();
  lane.add(message_of("a"), 0);
  lane.add(message_of("b"), 1);
  lane.add(message_of("c"), 2);
  ASSERT_TRUE(lane.run_until_completed());
  for (const auto& message : lane.messages) EXPECT_TRUE(message->outcomes[0].status.ok());
  EXPECT_THAT(read_topic(cluster, "orders", 2), SizeIs(2));
  EXPECT_THAT(read_topic(cluster, "other", 1), SizeIs(1));
}

// -----------------------------------------------------------------------------------------------------------------
// destinations that come and go

std::shared_ptr<const KafkaConfig> shared_config(const MockCluster& cluster, const std::string& topic) {
  return std::make_shared<KafkaConfig>(config_for(cluster.bootstrap(), topic));
}

KafkaBroker& broker_of(KafkaLane& lane) { return dynamic_cast<KafkaBroker&>(*lane.broker); }

TEST(KafkaBrokerTest, ADestinationMayComeWhileTheClientLives) {
  const MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("a")).status.ok());
  broker_of(lane).add_destination(lane.set_config(1, shared_config(cluster, "later")), 1);
  broker_of(lane).add_destination(lane.set_config(2, shared_config(cluster, "orders")), 2);
  EXPECT_TRUE(lane.deliver(message_of("b"), 10s, 1).status.ok());
  EXPECT_TRUE(lane.deliver(message_of("c"), 10s, 2).status.ok());
  EXPECT_TRUE(lane.deliver(message_of("d"), 10s, 0).status.ok());
  EXPECT_THAT(read_topic(cluster, "later", 1), SizeIs(1));
  EXPECT_THAT(read_topic(cluster, "orders", 3), SizeIs(3));
}

TEST(KafkaBrokerTest, ADestinationMayComeBeforeTheClient) {
  const MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  broker_of(lane).add_destination(lane.set_config(1, shared_config(cluster, "early")), 1);
  lane.connect();
  EXPECT_TRUE(lane.deliver(message_of("b"), 10s, 1).status.ok());
  EXPECT_THAT(read_topic(cluster, "early", 1), SizeIs(1));
}

TEST(KafkaBrokerTest, TheIndexOfARemovedDestinationIsUsedAgain) {
  const MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap(), "first"), config_for(cluster.bootstrap(), "shared"),
                  config_for(cluster.bootstrap(), "shared")});
  lane.connect();
  for (std::uint32_t i = 0; i < 3; ++i) ASSERT_TRUE(lane.deliver(message_of("a"), 10s, i).status.ok());
  lane.messages.clear();  // they refer to configurations that go now
  lane.completed = 0;
  for (int round = 0; round < 3; ++round) {
    const std::string topic = "round-" + std::to_string(round);
    broker_of(lane).remove_destination(0);
    broker_of(lane).add_destination(lane.set_config(0, shared_config(cluster, topic)), 0);
    EXPECT_TRUE(lane.deliver(message_of("b"), 10s, 0).status.ok());
    EXPECT_THAT(read_topic(cluster, topic, 1), SizeIs(1));
    lane.messages.clear();
    lane.completed = 0;
  }
  broker_of(lane).remove_destination(1);  // the other one still uses the topic
  EXPECT_TRUE(lane.deliver(message_of("c"), 10s, 2).status.ok());
  EXPECT_THAT(read_topic(cluster, "shared", 3), SizeIs(3));
}

TEST(KafkaBrokerTest, EveryDestinationMayGoAndTheNextClientKnowsTheNewOnes) {
  MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap(), "first")});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("a")).status.ok());
  lane.messages.clear();
  lane.completed = 0;
  broker_of(lane).remove_destination(0);
  EXPECT_FALSE(lane.run_until([] { return false; }, 50ms));
  broker_of(lane).add_destination(lane.set_config(0, shared_config(cluster, "second")), 0);
  cluster.fail_produce({RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
  lane.add(message_of("x", "key"));
  ASSERT_TRUE(lane.run_until_disconnected());
  lane.connect();
  EXPECT_TRUE(lane.deliver(message_of("c"), 10s, 0).status.ok());
}

TEST(KafkaBrokerTest, AConfigurationOfAnotherTypeIsRefused) {
  const MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  BrokerConfig other;
  other.name = "other";
  try {
    broker_of(lane).add_destination(other, 1);
    ADD_FAILURE();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "'other' has no Kafka configuration");
  }
}

// -----------------------------------------------------------------------------------------------------------------
// refusals

TEST(KafkaBrokerTest, TooLargeNamesTheLimits) {
  const MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  const Outcome outcome = lane.deliver(message_of(std::string(2'000'000, 'x')));
  EXPECT_EQ(outcome.status.code(), StatusCode::too_large);
  EXPECT_EQ(outcome.persistence, Persistence::not_persisted);
  EXPECT_THAT(outcome.status.message(), AllOf(HasSubstr("2000000 bytes"), HasSubstr("max_request_size"),
                                              HasSubstr("is 1000000"), Not(HasSubstr("Broker:"))));
  EXPECT_TRUE(lane.deliver(message_of("small")).status.ok());
}

Message message_to(std::int32_t partition) {
  Message message = message_of("x");
  message.properties = Properties{.partition = partition};
  return message;
}

TEST(KafkaBrokerTest, APartitionThatTheTopicDoesNotHaveIsOneMessagesFault) {
  const MockCluster cluster;
  for (const bool is_topic_known : {false, true}) {
    KafkaLane lane({config_for(cluster.bootstrap())});
    lane.connect();
    if (is_topic_known) {
      ASSERT_TRUE(lane.deliver(message_of("first")).status.ok());
    }
    for (int i = 0; i < 100; ++i) lane.add(i == 50 ? message_to(99) : message_of(std::to_string(i)));
    ASSERT_TRUE(lane.run_until_completed());
    int failed = 0;
    for (const auto& message : lane.messages) {
      const Outcome& outcome = message->outcomes[0];
      if (outcome.status.ok()) continue;
      ++failed;
      // Not `unavailable`, for which a destination pauses.
      EXPECT_EQ(outcome.status.code(), StatusCode::not_found) << outcome.status;
      EXPECT_THAT(outcome.status.message(), AllOf(HasSubstr("'orders'"), HasSubstr("no partition 99")));
      EXPECT_EQ(outcome.persistence, Persistence::not_persisted);
    }
    EXPECT_EQ(failed, 1);
  }
}

TEST(KafkaBrokerTest, ANegativePartitionIsInvalid) {
  const MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  for (const std::int32_t partition : {-1, -7}) {
    const Outcome outcome = lane.deliver(message_to(partition));
    EXPECT_EQ(outcome.status.code(), StatusCode::invalid_argument) << outcome.status;
    EXPECT_EQ(outcome.status.message(), "the partition is negative: " + std::to_string(partition));
    EXPECT_EQ(outcome.persistence, Persistence::not_persisted);
  }
}

TEST(KafkaBrokerTest, TakesAPrefixWhenTheClientIsFull) {
  MockCluster cluster;
  KafkaConfig config = config_for(cluster.bootstrap());
  config.properties["queue.buffering.max.messages"] = "10";
  KafkaLane lane({config});
  lane.connect();
  for (int i = 0; i < 25; ++i) lane.add(message_of(std::to_string(i), "key"));
  lane.run_until([] { return true; });  // one turn
  EXPECT_EQ(lane.unsent(), 15U);
  ASSERT_TRUE(lane.run_until_completed());
  const auto received = read_topic(cluster, "orders", 25);
  ASSERT_THAT(received, SizeIs(25));
  for (std::size_t i = 0; i < received.size(); ++i) EXPECT_EQ(received[i].body, std::to_string(i));
}

TEST(KafkaBrokerTest, AnUnknownTopicIsAskedForAgainBeforeItIsReportedAndFoundOnceItExists) {
  MockCluster cluster;
  cluster.fail_topic("orders", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  for (int seconds = 0; seconds < 10; seconds += 3) {
    const Outcome unknown = lane.deliver(message_of("x"));
    EXPECT_TRUE(unknown.status.retryable()) << "after " << seconds << " s: " << unknown.status;
    EXPECT_EQ(unknown.persistence, Persistence::not_persisted);
    EXPECT_THAT(unknown.status.message(), HasSubstr("'orders'"));
    lane.skipped += 3s;
  }
  const TimePoint again = Clock::now();
  const Outcome unknown = lane.deliver(message_of("x"));
  EXPECT_LT(Clock::now() - again, 500ms);  // now it knows
  EXPECT_EQ(unknown.status.code(), StatusCode::not_found) << unknown.status;
  EXPECT_EQ(unknown.persistence, Persistence::not_persisted);
  EXPECT_THAT(unknown.status.message(), HasSubstr("'orders'"));

  cluster.fail_topic("orders", RD_KAFKA_RESP_ERR_NO_ERROR);
  Outcome outcome = unknown;
  const TimePoint created = Clock::now();
  while (!outcome.status.ok() && Clock::now() - created < 10s) {
    lane.run_until([] { return false; }, 50ms);
    outcome = lane.deliver(message_of("x"));
  }
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_LT(Clock::now() - created, 3s);
}

TEST(KafkaBrokerTest, ATopicThatWasWrittenToIsAskedForUntilTheDeadline) {
  MockCluster cluster;
  KafkaConfig config = config_for(cluster.bootstrap());
  config.properties["topic.metadata.refresh.interval.ms"] = "100";
  KafkaLane lane({config});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("x")).status.ok());
  cluster.fail_topic("orders", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  Outcome outcome;
  const TimePoint begin = Clock::now();
  while (outcome.status.ok() && Clock::now() - begin < 10s) outcome = lane.deliver(message_of("x"));
  EXPECT_EQ(outcome.status.code(), StatusCode::unavailable) << outcome.status;
  lane.skipped += 1h;
  outcome = lane.deliver(message_of("x"));
  EXPECT_EQ(outcome.status.code(), StatusCode::unavailable) << outcome.status;
  EXPECT_THAT(outcome.status.message(), HasSubstr("nknown topic"));
}

TEST(KafkaBrokerTest, TheLastAttemptAtAnUnknownTopicSaysNotFound) {
  MockCluster cluster;
  cluster.fail_topic("orders", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  KafkaConfig config = config_for(cluster.bootstrap());
  config.retry.max_attempts = 1;
  KafkaLane lane({config});
  lane.connect();
  EXPECT_EQ(lane.deliver(message_of("x")).status.code(), StatusCode::not_found);
}

// The batches of one partition, as the cluster answers them.
class KafkaBatchTest : public ::testing::TestWithParam<const char*> {
 protected:
  KafkaConfig config() const {
    KafkaConfig config = config_for(cluster_.bootstrap());
    config.properties["enable.idempotence"] = GetParam();
    return config;
  }
  /// Fires eight messages that share a batch.
  void fire_together(KafkaLane& lane) {
    for (int i = 0; i < 8; ++i) lane.add(message_of(std::to_string(i), "key"));
  }
  /// Sends one message first, so that the client knows topic and broker.
  static void warm_up(KafkaLane& lane) {
    ASSERT_TRUE(lane.deliver(message_of("first", "key")).status.ok());
    lane.messages.clear();
    lane.completed = 0;
  }

  MockCluster cluster_;
};

TEST_P(KafkaBatchTest, AnErrorOfABatchIsNotOfEachMessage) {
  KafkaConfig config = this->config();
  config.properties["linger.ms"] = "50";
  KafkaLane lane({config});
  lane.connect();
  warm_up(lane);
  cluster_.fail_produce({RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  fire_together(lane);  // eight fail, then four of them, then those in halves go through
  ASSERT_TRUE(lane.run_until_completed());
  for (const auto& message : lane.messages) {
    ASSERT_THAT(message->outcomes, SizeIs(1));
    EXPECT_TRUE(message->outcomes[0].status.ok()) << message->body() << ": " << message->outcomes[0].status;
  }
  std::vector<std::string> bodies;
  for (const Received& message : read_topic(cluster_, "orders", 9)) bodies.push_back(message.body);
  EXPECT_THAT(bodies, ElementsAre("first", "0", "1", "2", "3", "4", "5", "6", "7"));
  EXPECT_THAT(lane.logs, Contains(HasSubstr("batch.size")));
}

TEST_P(KafkaBatchTest, TheMessageAtFaultIsFoundAndNewerOnesWait) {
  KafkaConfig config = this->config();
  config.properties["linger.ms"] = "50";
  KafkaLane lane({config});
  lane.connect();
  warm_up(lane);
  const std::vector<rd_kafka_resp_err_t> four(4, RD_KAFKA_RESP_ERR_INVALID_RECORD);
  cluster_.fail_produce(four);  // eight, four, two, and one
  fire_together(lane);
  ASSERT_TRUE(lane.run_until([&] { return lane.unsent() == 0; }));
  ASSERT_TRUE(lane.run_until([&] { return !lane.logs.empty(); }));
  lane.add(message_of("newer", "key"));
  ASSERT_TRUE(lane.run_until_completed());
  EXPECT_EQ(lane.messages[0]->outcomes[0].status.code(), StatusCode::invalid_argument);
  EXPECT_EQ(lane.messages[0]->outcomes[0].persistence, Persistence::not_persisted);
  std::vector<std::string> bodies;
  for (const Received& message : read_topic(cluster_, "orders", 9)) bodies.push_back(message.body);
  EXPECT_THAT(bodies, ElementsAre("first", "1", "2", "3", "4", "5", "6", "7", "newer"));
}

// librdkafka 2.4 and newer say so of each message that only shared a batch with an invalid one.
TEST_P(KafkaBatchTest, WhatOnlySharedABatchWithAnInvalidMessageIsTriedApart) {
  KafkaConfig config = this->config();
  config.properties["linger.ms"] = "50";
  config.retry.max_attempts = 1;
  KafkaLane lane({config});
  lane.connect();
  warm_up(lane);
  cluster_.fail_produce({static_cast<rd_kafka_resp_err_t>(-138)});
  fire_together(lane);
  ASSERT_TRUE(lane.run_until_completed());
  for (const auto& message : lane.messages) {
    EXPECT_TRUE(message->outcomes[0].status.ok()) << message->body() << ": " << message->outcomes[0].status;
  }
}

TEST_P(KafkaBatchTest, WhatWaitsToBeTriedApartComesBackWithItsClient) {
  KafkaLane lane({config()});
  lane.connect();
  warm_up(lane);
  cluster_.set_round_trip(500ms);
  cluster_.fail_produce({RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  fire_together(lane);
  ASSERT_TRUE(lane.run_until([&] { return !lane.logs.empty(); }));
  lane.broker->close(lane, 1'500ms);
  EXPECT_EQ(lane.completed, lane.messages.size());
  for (const auto& message : lane.messages) EXPECT_THAT(message->outcomes, SizeIs(1));
}

TEST_P(KafkaBatchTest, WhatWasWrittenBeforeItsBatchWasRefusedMayHaveArrived) {
  KafkaConfig config = this->config();
  config.properties["socket.timeout.ms"] = "500";
  KafkaLane lane({config});
  lane.connect();
  warm_up(lane);
  // It is written, and the answer comes too late, again and again. Then the topic takes no such message any more.
  cluster_.set_round_trip(5'000ms);
  lane.reconnects.clear();
  fire_together(lane);
  ASSERT_TRUE(lane.run_until([&] { return !lane.reconnects.empty(); }));
  cluster_.fail_produce(std::vector<rd_kafka_resp_err_t>(30, RD_KAFKA_RESP_ERR_INVALID_RECORD));
  cluster_.set_round_trip(0ms);
  ASSERT_TRUE(lane.run_until_completed());
  EXPECT_THAT(read_topic(cluster_, "orders", 9), SizeIs(9));
  for (const auto& message : lane.messages) {
    EXPECT_EQ(message->outcomes[0].status.code(), StatusCode::invalid_argument) << message->outcomes[0].status;
    EXPECT_EQ(message->outcomes[0].persistence, Persistence::possibly_persisted) << message->body();
  }
}

TEST_P(KafkaBatchTest, ARequestAtWhichTheConnectionEndsIsOneMessagesFault) {
  KafkaConfig other = config();
  other.name = other.topic = "other";
  KafkaLane lane({config(), other});
  lane.connect();
  warm_up(lane);
  ASSERT_TRUE(lane.deliver(message_of("first"), 10s, 1).status.ok());
  const tests::RequestLimit limit(300'000);
  const TimePoint begin = Clock::now();
  TestMessage& large = lane.add(message_of(std::string(600'000, 'x'), "key"));
  TestMessage& fits = lane.add(message_of(std::string(200'000, 'x'), "key"));
  lane.add(message_of(std::string(200'000, 'x')), 1);
  lane.add(message_of("small"), 1);
  const auto all_final = [&] {
    return std::all_of(lane.messages.begin(), lane.messages.end(), [](const auto& message) {
      return !message->outcomes.empty() && !message->outcomes.back().status.retryable();
    });
  };
  while (!all_final() && Clock::now() - begin < 20s) {
    lane.run_until([&] { return !lane.disconnects.empty() || all_final(); });
    if (std::exchange(lane.disconnects, {}).empty()) continue;
    lane.connect();
    lane.offer_failed_again();
  }
  ASSERT_TRUE(all_final());
  EXPECT_EQ(large.outcomes.back().status.code(), StatusCode::too_large) << large.outcomes.back().status;
  EXPECT_THAT(large.outcomes.back().status.message(), HasSubstr("socket.request.max.bytes"));
  EXPECT_TRUE(fits.outcomes.back().status.ok()) << fits.outcomes.back().status;
  for (std::size_t i = lane.messages.size() - 2; i < lane.messages.size(); ++i) {
    EXPECT_TRUE(lane.messages[i]->outcomes.back().status.ok()) << lane.messages[i]->outcomes.back().status;
  }
  EXPECT_LT(Clock::now() - begin, 15s);
}

INSTANTIATE_TEST_SUITE_P(Idempotence, KafkaBatchTest, ::testing::Values("true", "false"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(KafkaBrokerTest, NotEnoughReplicasIsTriedAgainByTheClientThenRejected) {
  MockCluster cluster;
  KafkaConfig config = config_for(cluster.bootstrap());
  config.properties["message.send.max.retries"] = "2";
  config.properties["retry.backoff.ms"] = "10";
  KafkaLane lane({config});
  lane.connect();
  const std::vector<rd_kafka_resp_err_t> twice(2, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
  cluster.fail_produce(twice);
  EXPECT_TRUE(lane.deliver(message_of("x")).status.ok());
  const std::vector<rd_kafka_resp_err_t> often(6, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
  cluster.fail_produce(often);
  const Outcome outcome = lane.deliver(message_of("x"));
  EXPECT_EQ(outcome.status.code(), StatusCode::rejected) << outcome.status;
  EXPECT_THAT(outcome.status.message(), HasSubstr("'orders'"));
}

TEST(KafkaBrokerTest, DoesNotBelieveThatALaterConfirmationProvesAnEarlierMessage) {
  MockCluster cluster;
  KafkaLane lane({config_for(cluster.bootstrap())});
  lane.connect();
  ASSERT_TRUE(lane.deliver(message_of("before", "key")).status.ok());
  // Two requests on the wire: the first one is refused, the second one written.
  cluster.set_round_trip(300ms);
  cluster.fail_produce({RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION});
  TestMessage& first = lane.add(message_of("first", "key"));
  EXPECT_FALSE(lane.run_until([&] { return !first.outcomes.empty(); }, 100ms));
  lane.add(message_of("second", "key"));
  ASSERT_TRUE(lane.run_until_completed());
  // A client that sends the first one again may say so; what may not be is "ok", and nothing there.
  const auto received = read_topic(cluster, "orders", first.outcomes[0].status.ok() ? 3 : 2);
  const bool is_there =
      std::any_of(received.begin(), received.end(), [](const Received& message) { return message.body == "first"; });
  if (first.outcomes[0].status.ok()) {
    EXPECT_TRUE(is_there);
  } else {
    EXPECT_TRUE(first.outcomes[0].status.retryable()) << first.outcomes[0].status;
    EXPECT_EQ(first.outcomes[0].persistence, Persistence::possibly_persisted);
    EXPECT_THAT(lane.logs, Contains(HasSubstr("1 of the messages were written")));
  }
}

TEST(KafkaBrokerTest, MapsWhatTheBrokerRefuses) {
  const std::vector<std::pair<rd_kafka_resp_err_t, StatusCode>> expected{
      {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, StatusCode::permission_denied},
      {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, StatusCode::too_large},
      {RD_KAFKA_RESP_ERR_INVALID_RECORD, StatusCode::invalid_argument},
      {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, StatusCode::permission_denied},
      {RD_KAFKA_RESP_ERR_INVALID_MSG, StatusCode::rejected},
      {RD_KAFKA_RESP_ERR_UNKNOWN, StatusCode::rejected},
  };
  for (const auto& [error, code] : expected) {
    MockCluster cluster;
    KafkaConfig config = config_for(cluster.bootstrap());
    config.properties["enable.idempotence"] = "false";  // a refused batch would be a fatal gap
    KafkaLane lane({config});
    lane.connect();
    cluster.fail_produce({error, error});  // in its batch, and alone
    const Outcome outcome = lane.deliver(message_of("x"));
    // Newer clients try this one again themselves.
    if (error == RD_KAFKA_RESP_ERR_INVALID_MSG && outcome.status.ok()) continue;
    EXPECT_EQ(outcome.status.code(), code) << rd_kafka_err2name(error) << ": " << outcome.status;
    EXPECT_THAT(outcome.status.message(), Not(IsEmpty()));
    EXPECT_EQ(outcome.persistence,
              error == RD_KAFKA_RESP_ERR_UNKNOWN ? Persistence::possibly_persisted : Persistence::not_persisted)
        << rd_kafka_err2name(error);
  }
}

}  // namespace
}  // namespace action_triggers::detail
