/// librdkafka behind small types of ours. Internal.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>

#include "action_triggers/broker.hpp"
#include "action_triggers/kafka.hpp"
#include "action_triggers/status.hpp"

namespace action_triggers::detail {

template <auto Destroy>
struct KafkaDeleter {
  template <class T>
  void operator()(T* object) const noexcept {
    Destroy(object);
  }
};

using KafkaConf = std::unique_ptr<rd_kafka_conf_t, KafkaDeleter<rd_kafka_conf_destroy>>;
using KafkaTopicConf = std::unique_ptr<rd_kafka_topic_conf_t, KafkaDeleter<rd_kafka_topic_conf_destroy>>;
using KafkaTopic = std::unique_ptr<rd_kafka_topic_t, KafkaDeleter<rd_kafka_topic_destroy>>;
using KafkaQueue = std::unique_ptr<rd_kafka_queue_t, KafkaDeleter<rd_kafka_queue_destroy>>;
using KafkaEvent = std::unique_ptr<rd_kafka_event_t, KafkaDeleter<rd_kafka_event_destroy>>;
using KafkaHeaders = std::unique_ptr<rd_kafka_headers_t, KafkaDeleter<rd_kafka_headers_destroy>>;
using KafkaError = std::unique_ptr<rd_kafka_error_t, KafkaDeleter<rd_kafka_error_destroy>>;

/// A configuration with every property of `config`, logs and events on queues. Throws std::runtime_error with
/// librdkafka's reason.
KafkaConf make_kafka_conf(const KafkaConfig& config);

/// Why this librdkafka cannot log in to Apache Kafka 4 with SCRAM; empty if it can. Before 2.6.1 it repeats its nonce,
/// which older brokers let pass (confluentinc/librdkafka#4895).
std::string why_scram_fails();

/// librdkafka's error as an outcome, with what to do about it. `topic` may be empty.
Status kafka_status(rd_kafka_resp_err_t error, const std::string& text, const std::string& topic);

/// librdkafka's syslog level as ours.
LogLevel kafka_log_level(int syslog_level) noexcept;

}  // namespace action_triggers::detail
