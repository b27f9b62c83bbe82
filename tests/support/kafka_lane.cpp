// SPDX-License-Identifier: MIT
#include "support/kafka_lane.hpp"

#include <array>
#include <chrono>

#include "brokers/kafka/kafka_client.hpp"
#include "brokers/kafka/kafka_type.hpp"

#include "action_triggers/kafka.hpp"

namespace action_triggers::tests {
namespace {

using detail::KafkaDeleter;

TestLane::Configs shared(const std::vector<KafkaConfig>& configs) {
  TestLane::Configs all;
  for (const KafkaConfig& config : configs) all.push_back(std::make_shared<KafkaConfig>(config));
  return all;
}

}  // namespace

KafkaLane::KafkaLane(const std::vector<KafkaConfig>& configs)
    : TestLane(detail::make_kafka(configs.front()), shared(configs)) {}

KafkaConfig config_for(const std::string& bootstrap, const std::string& topic) {
  KafkaConfig config;
  config.name = topic;
  config.broker_type = "kafka";
  config.bootstrap_servers = bootstrap;
  config.topic = topic;
  config.properties = {{"acks", "all"},
                       {"enable.idempotence", "true"},
                       {"socket.nagle.disable", "true"},
                       {"partitioner", "murmur2_random"},
                       {"linger.ms", "1"},
                       {"queue.buffering.max.messages", "10000000"},
                       {"queue.buffering.max.kbytes", "2097151"},
                       {"topic.metadata.propagation.max.ms", "1500"}};
  return config;
}

Message message_of(std::string body, std::string key) {
  Message message;
  message.body = std::move(body);
  message.key = std::move(key);
  message.id = "id";
  return message;
}

std::vector<Received> read_topic(const MockCluster& cluster, const std::string& topic, std::size_t count) {
  std::array<char, 512> reason{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", cluster.bootstrap().c_str(), reason.data(), reason.size());
  rd_kafka_conf_set(conf, "group.id", "reader", reason.data(), reason.size());
  rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", reason.data(), reason.size());
  const std::unique_ptr<rd_kafka_t, KafkaDeleter<rd_kafka_destroy>> consumer(
      rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason.data(), reason.size()));
  rd_kafka_poll_set_consumer(consumer.get());
  const std::unique_ptr<rd_kafka_topic_partition_list_t, KafkaDeleter<rd_kafka_topic_partition_list_destroy>> all(
      rd_kafka_topic_partition_list_new(4));
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    rd_kafka_topic_partition_list_add(all.get(), topic.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_assign(consumer.get(), all.get());
  std::vector<Received> received;
  for (const TimePoint deadline = Clock::now() + std::chrono::seconds(60);
       received.size() < count && Clock::now() < deadline;) {
    const std::unique_ptr<rd_kafka_message_t, KafkaDeleter<rd_kafka_message_destroy>> got(
        rd_kafka_consumer_poll(consumer.get(), 100));
    if (!got || got->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    Received& message = received.emplace_back();
    message.partition = got->partition;
    message.offset = got->offset;
    message.timestamp_ms = rd_kafka_message_timestamp(got.get(), nullptr);
    message.has_value = got->payload != nullptr;
    message.has_key = got->key != nullptr;
    if (message.has_value) message.body.assign(static_cast<const char*>(got->payload), got->len);
    if (message.has_key) message.key.assign(static_cast<const char*>(got->key), got->key_len);
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(got.get(), &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      message.headers.emplace_back(name, std::string(static_cast<const char*>(value), size));
    }
  }
  return received;
}

}  // namespace action_triggers::tests
