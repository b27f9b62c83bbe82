// SPDX-License-Identifier: MIT
// Apache Kafka, the real one.
#include "live/support.hpp"

namespace action_triggers::tests {
namespace {

using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::PersistenceIs;
using ::testing::SizeIs;

class KafkaTest : public ::testing::Test {
 protected:
  std::string topic_params(const std::string& extra = {}) const { return R"("topic": ")" + topic_ + "\"" + extra; }
  const std::string topic_ = unique("topic");
};

TEST_F(KafkaTest, EveryPartOfAMessageArrives) {
  create_topics({topic_}, 3);
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte.push_back(static_cast<char>(byte));
  Message message;
  message.body = every_byte;
  message.key = "customer-7";
  message.headers = {{"tenant", "a"}, {"tenant", "b"}};
  message.content_type = "application/octet-stream";
  message.id = "id-1";
  TriggerDispatcher dispatcher(config_with(broker("b", "kafka", kafka_conn(), topic_params())));
  const DeliveryReport report = dispatcher.fire("b", message).wait();
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report, PersistenceIs(Persistence::persisted));
  const auto received = read_topic(topic_);
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_EQ(received[0].body, every_byte);
  EXPECT_EQ(received[0].key, "customer-7");
  EXPECT_EQ(received[0].partition, report.partition);
  EXPECT_EQ(received[0].offset, report.offset);
  EXPECT_EQ(received[0].properties, "tenant=a,tenant=b,content-type=application/octet-stream,message-id=id-1");
}

TEST_F(KafkaTest, TheMessageIdsHeaderCanBeNamedOrLeftOut) {
  create_topics({topic_}, 1);
  for (const char* header : {R"("x-id")", "null"}) {
    TriggerDispatcher dispatcher(config_with(
        broker("b", "kafka", kafka_conn(), topic_params(std::string(R"(, "message_id_header": )") + header))));
    EXPECT_THAT(dispatcher.fire("b", Message{.body = "x", .id = "i"}).wait(), IsOk());
  }
  const auto received = read_topic(topic_);
  ASSERT_THAT(received, SizeIs(2));
  EXPECT_EQ(received[0].properties, "x-id=i");
  EXPECT_EQ(received[1].properties, "");
}

TEST_F(KafkaTest, AKeyGoesWhereTheJavaClientPutsIt) {
  create_topics({topic_}, 8);
  TriggerDispatcher dispatcher(config_with(broker("b", "kafka", kafka_conn(), topic_params())));
  // org.apache.kafka.common.utils.Utils.murmur2 of these keys, masked positive, modulo 8 partitions; the hashes are
  // those of Kafka's own UtilsTest.
  const std::vector<std::pair<std::string, std::uint32_t>> hashes{
      {"21", static_cast<std::uint32_t>(-973932308)},
      {"foobar", static_cast<std::uint32_t>(-790332482)},
      {"a-little-bit-long-string", static_cast<std::uint32_t>(-985981536)},
      {"a-little-bit-longer-string", static_cast<std::uint32_t>(-1486304829)},
  };
  for (const auto& [key, hash] : hashes) {
    EXPECT_EQ(dispatcher.fire("b", Message{.body = "x", .key = key}).wait().partition,
              static_cast<std::int32_t>((hash & 0x7FFFFFFFU) % 8U))
        << key;
  }
}

TEST_F(KafkaTest, AnUnknownTopicIsNotFoundAndFoundOnceItExists) {
  TriggerDispatcher dispatcher(config_with(broker("b", "kafka", kafka_conn(), topic_params())));
  const DeliveryReport report = dispatcher.fire("b", "x").wait();
  EXPECT_THAT(report, HasCode(StatusCode::not_found));
  EXPECT_THAT(report, PersistenceIs(Persistence::not_persisted));
  EXPECT_LT(report.latency, 20s);
  EXPECT_THAT(report.status.message(), HasSubstr(topic_));
  create_topics({topic_}, 1);
  const auto deadline = Clock::now() + 20s;
  Status status = report.status;
  while (!status.ok() && Clock::now() < deadline) status = dispatcher.fire("b", "x").wait().status;
  EXPECT_THAT(status, IsOk());
}

TEST_F(KafkaTest, ATopicThatIsCreatedWhileAMessageWaitsIsFound) {
  TriggerDispatcher dispatcher(config_with(broker("b", "kafka", kafka_conn(), topic_params())));
  const Delivery delivery = dispatcher.fire("b", "x");
  // By then the client has given the topic up once.
  const auto deadline = Clock::now() + 10s;
  while (dispatcher.stats().brokers["b"].retried == 0 && Clock::now() < deadline) {
    ASSERT_EQ(delivery.wait_for(10ms), nullptr);
  }
  create_topics({topic_}, 1);
  EXPECT_THAT(delivery.wait(), IsOk());
}

TEST_F(KafkaTest, WhatSharesABatchWithAMessageIsNotRefusedWithIt) {
  run("bash -c \"$AT_KAFKA_TOPICS --create --topic " + topic_ + " --partitions 1 --config max.message.bytes=10000\"");
  TriggerDispatcher dispatcher(config_with(broker("b", "kafka", kafka_conn(R"(, "linger_ms": 50)"), topic_params())));
  std::vector<Delivery> small;
  for (int i = 0; i < 100; ++i) small.push_back(dispatcher.fire("b", std::string(1'000, 'x')));
  const Delivery large = dispatcher.fire("b", std::string(12'000, 'x'));
  for (int i = 0; i < 100; ++i) small.push_back(dispatcher.fire("b", std::string(1'000, 'x')));
  for (const Delivery& delivery : small) ASSERT_THAT(delivery.wait(), IsOk());
  EXPECT_THAT(large.wait(), HasCode(StatusCode::too_large));
}

TEST_F(KafkaTest, AMessageWithoutAKeyIsAloneAtFaultInACompactedTopic) {
  run("bash -c \"$AT_KAFKA_TOPICS --create --topic " + topic_ + " --partitions 1 --config cleanup.policy=compact\"");
  TriggerDispatcher dispatcher(config_with(broker("b", "kafka", kafka_conn(R"(, "linger_ms": 50)"), topic_params())));
  std::vector<Delivery> keyed;
  for (int i = 0; i < 50; ++i) keyed.push_back(dispatcher.fire("b", Message{.body = "x", .key = "k"}));
  const Delivery keyless = dispatcher.fire("b", "x");
  for (int i = 0; i < 50; ++i) keyed.push_back(dispatcher.fire("b", Message{.body = "x", .key = "k"}));
  for (const Delivery& delivery : keyed) ASSERT_THAT(delivery.wait(), IsOk());
  EXPECT_THAT(keyless.wait(), HasCode(StatusCode::invalid_argument));
}

TEST_F(KafkaTest, AQuotaShowsInTheStateAndInTheLog) {
  create_topics({topic_}, 1);
  run("bash -c \"java -cp \\\"$AT_KAFKA_LIBS/*\\\" kafka.admin.ConfigCommand --bootstrap-server $AT_KAFKA_BOOTSTRAP "
      "--alter --add-config producer_byte_rate=10000 --entity-type clients --entity-name " +
      topic_ + "\"");
  std::vector<std::string> logs;
  std::mutex mutex;
  DispatcherOptions options;
  options.log = [&](LogLevel, std::string_view, std::string_view text) {
    const std::lock_guard lock(mutex);
    logs.emplace_back(text);
  };
  TriggerDispatcher dispatcher(
      config_with(broker("b", "kafka", kafka_conn(R"(, "client_id": ")" + topic_ + "\""), topic_params())),
      BrokerRegistry::builtin(), std::move(options));
  const auto deadline = Clock::now() + 20s;
  while (dispatcher.stats().brokers["b"].state != ConnectionState::blocked && Clock::now() < deadline) {
    ASSERT_THAT(dispatcher.fire("b", std::string(50'000, 'x')).wait(), IsOk());
  }
  EXPECT_EQ(dispatcher.stats().brokers["b"].state, ConnectionState::blocked);
  const std::lock_guard lock(mutex);
  EXPECT_THAT(logs, ::testing::Contains(HasSubstr("quota")));
}

TEST_F(KafkaTest, AMessageOverALimitIsTooLarge) {
  create_topics({topic_}, 1);
  // The client's limit, then the broker's (1,048,588 bytes).
  for (const char* extra : {"", R"(, "max_request_size": 10000000)"}) {
    TriggerDispatcher dispatcher(config_with(broker("b", "kafka", kafka_conn(extra), topic_params())));
    const DeliveryReport report = dispatcher.fire("b", std::string(2'000'000, 'x')).wait();
    EXPECT_THAT(report, HasCode(StatusCode::too_large));
    EXPECT_THAT(report.status.message(), HasSubstr("max_request_size"));
    EXPECT_THAT(dispatcher.fire("b", "small").wait(), IsOk());
  }
}

TEST_F(KafkaTest, AnUnreachableClusterIsUnavailableAfterMaxAttempts) {
  TriggerDispatcher dispatcher(
      config_with(broker("b", "kafka", R"("conn_details": {"bootstrap_servers": "127.0.0.1:1"})",
                         topic_params(R"(, "retry": {"max_attempts": 2})"))));
  const DeliveryReport report = dispatcher.fire("b", "x").wait();
  EXPECT_THAT(report, HasCode(StatusCode::unavailable));
  EXPECT_LT(report.latency, 10s);
  EXPECT_THAT(report.status.message(), HasSubstr("127.0.0.1:1"));
}

TEST_F(KafkaTest, ItIsConnectedWhenABrokerHasAnswered) {
  TriggerDispatcher dispatcher(
      config_with(broker("up", "kafka", kafka_conn(), topic_params()) + ", " +
                  broker("down", "kafka", R"("conn_details": {"bootstrap_servers": "127.0.0.1:1"})", topic_params())));
  EXPECT_FALSE(dispatcher.wait_until_connected("down", 1s));
  EXPECT_TRUE(dispatcher.wait_until_connected("up", 30s)) << dispatcher.stats().brokers.at("up").last_error;
  EXPECT_FALSE(dispatcher.wait_until_connected(0s));
}

TEST_F(KafkaTest, AnUnreachableClusterTimesOutWithItsReason) {
  TriggerDispatcher dispatcher(
      config_with(broker("b", "kafka", R"("conn_details": {"bootstrap_servers": "127.0.0.1:1"})",
                         topic_params(R"(, "timeout_secs": 2)"))));
  const DeliveryReport report = dispatcher.fire("b", "x").wait();
  EXPECT_THAT(report, HasCode(StatusCode::timed_out));
  EXPECT_THAT(report.status.message(), HasSubstr("127.0.0.1:1"));
  EXPECT_GE(report.latency, 2s);
  EXPECT_LT(report.latency, 20s);  // how exactly: DeadlinesTest, in virtual time
}

TEST_F(KafkaTest, ClosesInTimeWhileTheClusterIsAway) {
  TriggerDispatcher dispatcher(
      config_with(broker("b", "kafka", R"("conn_details": {"bootstrap_servers": "127.0.0.1:1"})", topic_params())));
  std::vector<Delivery> deliveries;
  for (int i = 0; i < 1'000; ++i) deliveries.push_back(dispatcher.fire("b", "x"));
  const auto begin = Clock::now();
  const CloseReport report = dispatcher.close(100ms);
  EXPECT_LT(Clock::now() - begin, 100ms + 2s);
  EXPECT_EQ(report.abandoned, 1'000U);
  for (const Delivery& delivery : deliveries) EXPECT_THAT(delivery.wait(), HasCode(StatusCode::closed));
}

TEST_F(KafkaTest, TwentyThousandFromFourThreads) {
  create_topics({topic_}, 3);
  {
    TriggerDispatcher dispatcher(config_with(broker("b", "kafka", kafka_conn(), topic_params(", " + roomy))));
    fire_from_four_threads(dispatcher, "b", 20'000);
  }
  expect_all_in_order(read_topic(topic_), 20'000);
}

TEST_F(KafkaTest, TwentyThousandInStrictTurns) {
  create_topics({topic_}, 3);
  {
    TriggerDispatcher dispatcher(config_with(broker("b", "kafka", kafka_conn(), topic_params(", " + roomy))));
    fire_in_strict_turns(dispatcher, "b", 20'000);
  }
  expect_strict_order(read_topic(topic_), 20'000);
}

}  // namespace
}  // namespace action_triggers::tests
