// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_destinations.hpp"

#include <algorithm>
#include <utility>

#include "action_triggers/broker_type.hpp"
#include "brokers/kafka/kafka_errors.hpp"
#include "brokers/kafka/kafka_status.hpp"

namespace action_triggers::detail {
namespace {

// How long a topic that this process has not written to may be unknown before its messages are given up: a broker that
// has just started knows no topic, and one that is being created is known everywhere only after a while.
constexpr std::chrono::seconds unknown_topic_patience{10};

}  // namespace

void KafkaDestinations::Topic::written() {
  was_written = true;
  unknown_since.reset();
}

Status KafkaDestinations::Topic::unknown(const OutboundMessage& message, rd_kafka_resp_err_t error, TimePoint now) {
  const auto properties = message.properties();
  if (error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION && properties && properties->partition) {
    return {StatusCode::not_found, "topic '" + name + "' has no partition " + std::to_string(*properties->partition) +
                                       ", as far as the client knows; it looks for new ones every " +
                                       "topic.metadata.refresh.interval.ms (5 minutes)"};
  }
  Status why = kafka_status(error, {}, name);
  if (!unknown_since) unknown_since = now;
  const bool is_old_news = !was_written && now - *unknown_since >= unknown_topic_patience;
  if (is_old_news || message.destination().retry.is_used_up(message.attempt())) return why;
  return {StatusCode::unavailable, why.message()};
}

Outcome KafkaDestinations::Topic::refusal(const OutboundMessage& message, rd_kafka_resp_err_t error, TimePoint now) {
  return Outcome::failed(kafka_error_info(error).scope == KafkaErrorScope::topic ? unknown(message, error, now)
                                                                                 : kafka_status(error, {}, name));
}

KafkaDestinations::Topic& KafkaDestinations::add(const BrokerConfig& config, std::size_t index) {
  const KafkaConfig& kafka = config_as<KafkaConfig>(config, "Kafka");
  if (index >= targets_.size()) targets_.resize(index + 1);
  targets_[index] = {&kafka, topic_position(kafka.topic)};
  return topics_[targets_[index].topic];
}

void KafkaDestinations::remove(std::size_t index, bool is_ours) {
  const std::size_t topic = std::exchange(targets_[index], Target()).topic;
  const bool is_used = std::any_of(targets_.begin(), targets_.end(), [&](const Target& target) {
    return target.config != nullptr && target.topic == topic;
  });
  if (is_used) return;
  if (!is_ours) static_cast<void>(topics_[topic].handle.release());
  topics_[topic] = Topic();
}

const KafkaConfig& KafkaDestinations::config_of(const OutboundMessage& message) const {
  return *targets_[message.destination_index()].config;
}

KafkaDestinations::Topic& KafkaDestinations::topic_of(const OutboundMessage& message) {
  return topics_[targets_[message.destination_index()].topic];
}

KafkaDestinations::Found KafkaDestinations::find(const OutboundMessage& message) {
  const Target& target = targets_[message.destination_index()];
  return {*target.config, topics_[target.topic]};
}

Status KafkaDestinations::make_handle(Topic& topic, KafkaProducer& producer) const {
  return topic.handle ? Status() : producer.make_topic(topic.name, longest_timeout(topic), topic.handle);
}

Status KafkaDestinations::make_handles(KafkaProducer& producer) {
  for (Topic& topic : topics_) {
    if (topic.name.empty()) continue;
    if (Status why = make_handle(topic, producer); !why.ok()) return why;
  }
  return {};
}

void KafkaDestinations::drop_handles(bool is_ours) {
  for (Topic& topic : topics_) {
    if (!is_ours) static_cast<void>(topic.handle.release());  // leaked on purpose
    topic.handle.reset();
  }
}

void KafkaDestinations::forget_unknown() {
  for (Topic& topic : topics_) topic.unknown_since.reset();
}

bool KafkaDestinations::has_parts() const {
  return std::any_of(topics_.begin(), topics_.end(), [](const Topic& topic) { return topic.parts.is_divided(); });
}

bool KafkaDestinations::has_attempt_limit() const {
  return std::any_of(targets_.begin(), targets_.end(), [](const Target& target) {
    return target.config != nullptr && target.config->retry.max_attempts.has_value();
  });
}

std::chrono::milliseconds KafkaDestinations::shortest_timeout() const {
  std::chrono::milliseconds shortest = std::chrono::milliseconds::max();
  for (const Target& target : targets_) {
    if (target.config != nullptr) shortest = std::min(shortest, target.config->timeout);
  }
  return shortest;
}

/// Where topics_ has this topic, now at the latest.
std::size_t KafkaDestinations::topic_position(const std::string& name) {
  const auto find = [&](const std::string& wanted) {
    return std::find_if(topics_.begin(), topics_.end(), [&](const Topic& topic) { return topic.name == wanted; });
  };
  auto found = find(name);
  if (found == topics_.end()) found = find({});
  if (found == topics_.end()) found = topics_.insert(found, Topic());
  found->name = name;
  return static_cast<std::size_t>(found - topics_.begin());
}

std::chrono::milliseconds KafkaDestinations::longest_timeout(const Topic& topic) const {
  std::chrono::milliseconds longest{0};
  for (const Target& target : targets_) {
    if (target.config == nullptr || &topics_[target.topic] != &topic) continue;
    longest = std::max(longest, target.config->timeout);
  }
  return longest;
}

}  // namespace action_triggers::detail
