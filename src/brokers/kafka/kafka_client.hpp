// SPDX-License-Identifier: MIT
/// librdkafka's objects with owners, and its configuration made from a KafkaConfig.
#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "action_triggers/clock.hpp"
#include "action_triggers/kafka.hpp"

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

/// Sets one property; returns librdkafka's reason if it does not accept it, else nothing. The reason may repeat the
/// value.
std::string set_kafka_property(rd_kafka_conf_t* conf, const std::string& property, const std::string& value);

/// A configuration with every property of `config`, logs and events on queues. Throws std::runtime_error with
/// librdkafka's reason.
KafkaConf make_kafka_conf(const KafkaConfig& config);

/// Destroys a client on another thread, since that waits for the client's threads, of which one may be looking up a
/// name. Waits at most `patience` for it. `kept` lives as long as the client.
void destroy_elsewhere(rd_kafka_t* client, std::chrono::milliseconds patience, const std::shared_ptr<void>& kept);

/// The error after which an idempotent producer takes nothing any more, with librdkafka's `reason`;
/// RD_KAFKA_RESP_ERR_NO_ERROR if there was none.
rd_kafka_resp_err_t kafka_fatal_error(rd_kafka_t* client, std::string& reason);

/// How many bootstrap servers the configuration names.
std::size_t kafka_servers(const KafkaConfig& config);

/// What people are told of a cluster that does not answer; `last_error` is a connection's, and may be empty.
std::string kafka_unreachable(const KafkaConfig& config, const std::string& last_error);

/// What a client's own threads see of its connections. The client shares it: it may outlive whoever made the client.
struct KafkaSigns {
  bool logs_in = false;                   // by SASL
  std::atomic<std::uint64_t> answers{0};  // of brokers that it is logged in to

  /// How often in a row a broker closed the connection instead of answering a request with messages; of the broker that
  /// did it most.
  std::atomic<std::uint32_t> cuts{0};

  std::mutex mutex;
  struct Cut {
    std::uint32_t times = 0;
    TimePoint at;
  };
  std::map<std::int32_t, Cut> cuts_by_broker;            // under mutex
  std::map<std::int32_t, std::uint64_t> latest_answers;  // the number of each broker's latest; under mutex
};

/// Makes the client that `conf` will be for count what it sees.
void watch_signs(rd_kafka_conf_t* conf, KafkaSigns& signs);

}  // namespace action_triggers::detail
