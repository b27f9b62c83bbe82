// SPDX-License-Identifier: MIT
/// librdkafka's producer, of one lane at a time: made, given messages, and freed without waiting for its threads.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "action_triggers/broker.hpp"
#include "base/wake_fd.hpp"
#include "brokers/kafka/kafka_client.hpp"
#include "brokers/kafka/kafka_headers.hpp"
#include "brokers/kafka/kafka_tls_files.hpp"

namespace action_triggers::detail {

/// free() comes before its end. But for exists(), is_ours(), fd() and free(), only while it exists and is ours.
class KafkaProducer {
 public:
  using OnThrottle = void (*)(rd_kafka_t* client, const char* broker, std::int32_t broker_id, int milliseconds,
                              void* opaque);

  /// Throws std::system_error if there is no descriptor left.
  KafkaProducer();

  /// Makes a client; `on_throttle` is called within next_event(). A request without an answer costs the connection in
  /// half of `timeout` (within limits; and the configuration may say otherwise), so that there is time for another one.
  [[nodiscard]] Status make(const KafkaConfig& config, std::chrono::milliseconds timeout, OnThrottle on_throttle,
                            void* opaque);
  [[nodiscard]] bool exists() const { return client_ != nullptr; }
  /// False in a child of fork(). The client's threads are not there, so it may be neither used nor destroyed.
  [[nodiscard]] bool is_ours() const;

  /// Makes the topic known to the client, which asks for its metadata, so that the first message need not wait for
  /// that. `timeout` is the longest of its destinations'.
  [[nodiscard]] Status make_topic(const std::string& name, std::chrono::milliseconds timeout, KafkaTopic& topic);
  /// Neither copies nor frees the message's bytes: the lane's message outlives its delivery report.
  [[nodiscard]] KafkaError produce(const KafkaConfig& config, rd_kafka_topic_t* topic, const OutboundMessage& message,
                                   std::int64_t timestamp);
  /// The report of a message has come: its list of headers can be used again.
  void keep_headers(const rd_kafka_message_t& report, const KafkaConfig& config, const OutboundMessage& message) {
    header_lists_.keep(report, config, message);
  }

  /// The next event, waited for at most so long; empty if there is none.
  [[nodiscard]] KafkaEvent next_event(int milliseconds);
  /// How many messages and reports it has.
  [[nodiscard]] bool has_messages() const { return rd_kafka_outq_len(client_) > 0; }
  /// Everything it holds comes back through its delivery reports.
  void purge();
  /// The idempotent producer's, with librdkafka's `reason`; RD_KAFKA_RESP_ERR_NO_ERROR if there was none.
  [[nodiscard]] rd_kafka_resp_err_t fatal_error(std::string& reason) const {
    return kafka_fatal_error(client_, reason);
  }
  /// Whether a new client would read other certificates than this one has.
  [[nodiscard]] bool has_old_files() const { return files_.are_replaced(); }
  /// What the last client's threads see.
  [[nodiscard]] KafkaSigns& signs() { return *signs_; }

  /// Readable when there are events, until clear().
  [[nodiscard]] int fd() const { return has_events_.fd(); }
  void clear() { has_events_.clear(); }

  /// Frees the client elsewhere, since that waits for the client's threads, of which one may be looking up a name.
  /// Waits at most `patience` for it. What the client still holds it drops: a thread that is held up looks at the
  /// purge, and at the end of its client, before it would touch a message's bytes again. Its topics are freed before.
  void free(std::chrono::milliseconds patience);

 private:
  const WakeFd has_events_;       // librdkafka's threads wake it when queue_ has something
  std::uint32_t generation_ = 0;  // fork_generation() when client_ was made
  rd_kafka_t* client_ = nullptr;
  KafkaQueue queue_;
  KafkaHeaderLists header_lists_;
  std::shared_ptr<KafkaSigns> signs_;
  KafkaTlsFiles files_;
  bool was_made_ = false;  // there was a client before
};

}  // namespace action_triggers::detail
