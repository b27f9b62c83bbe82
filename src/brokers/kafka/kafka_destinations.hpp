// SPDX-License-Identifier: MIT
/// The destinations of one Kafka client, and the topics that they share.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "action_triggers/broker.hpp"
#include "action_triggers/kafka.hpp"
#include "brokers/kafka/kafka_parts.hpp"
#include "brokers/kafka/kafka_producer.hpp"

namespace action_triggers::detail {

class KafkaDestinations {
 public:
  /// Destinations share it if their topic is the same.
  struct Topic {
    std::string name;     // empty: no destination uses it
    KafkaTopic handle{};  // of the client; empty without one
    KafkaParts parts{};

    bool was_written = false;                // by this process: it exists, whatever a broker says for a moment
    std::optional<TimePoint> unknown_since;  // the cluster says that it does not exist

    /// A message was written to it.
    void written();
    /// The cluster says that topic or partition does not exist: it is asked again until that is old news. What this
    /// process has written to exists, and its messages wait until their deadlines. A partition that the message itself
    /// names is no matter of other messages, which must not wait for it.
    [[nodiscard]] Status unknown(const OutboundMessage& message, rd_kafka_resp_err_t error, TimePoint now);
    /// The outcome of a message that the client does not take.
    [[nodiscard]] Outcome refusal(const OutboundMessage& message, rd_kafka_resp_err_t error, TimePoint now);
  };

  /// See Broker. `config` outlives it. Returns the destination's topic.
  Topic& add(const BrokerConfig& config, std::size_t index);
  /// `is_ours`: as the producer says.
  void remove(std::size_t index, bool is_ours);

  [[nodiscard]] const KafkaConfig& config_of(const OutboundMessage& message) const;
  [[nodiscard]] Topic& topic_of(const OutboundMessage& message);
  struct Found {
    const KafkaConfig& config;
    Topic& topic;
  };
  [[nodiscard]] Found find(const OutboundMessage& message);
  [[nodiscard]] std::vector<Topic>& topics() { return topics_; }

  /// Makes the topic's handle if there is none.
  [[nodiscard]] Status make_handle(Topic& topic, KafkaProducer& producer) const;
  /// Those of all topics. Stops at the first that fails.
  [[nodiscard]] Status make_handles(KafkaProducer& producer);
  /// The client ends.
  void drop_handles(bool is_ours);
  /// A broker that has just started knows no topic.
  void forget_unknown();

  [[nodiscard]] bool has_parts() const;
  /// Whether a destination limits its attempts, so that an unreachable cluster must count as one.
  [[nodiscard]] bool has_attempt_limit() const;
  [[nodiscard]] std::chrono::milliseconds shortest_timeout() const;

 private:
  /// What a destination needs for sending.
  struct Target {
    const KafkaConfig* config = nullptr;  // nullptr: removed
    std::size_t topic = 0;                // its position in topics_
  };

  [[nodiscard]] std::size_t topic_position(const std::string& name);
  [[nodiscard]] std::chrono::milliseconds longest_timeout(const Topic& topic) const;

  std::vector<Target> targets_;  // by OutboundMessage::destination_index()
  std::vector<Topic> topics_;
};

}  // namespace action_triggers::detail
