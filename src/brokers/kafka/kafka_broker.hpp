// SPDX-License-Identifier: MIT
/// Kafka over librdkafka: one client for each lane, produced to and polled on the lane's thread alone.
///
/// Bodies are not copied: librdkafka points at the lane's message until its delivery report is served. A client that
/// cannot go on (a fatal error, refused credentials) is purged and serves its reports, then connect() makes another
/// one; the lane sends again, in order, what came back.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "action_triggers/broker.hpp"
#include "action_triggers/kafka.hpp"
#include "brokers/kafka/kafka_connection_watch.hpp"
#include "brokers/kafka/kafka_destinations.hpp"
#include "brokers/kafka/kafka_large_messages.hpp"
#include "brokers/kafka/kafka_producer.hpp"

namespace action_triggers::detail {

class KafkaBroker final : public Broker {
 public:
  /// Throws std::system_error if there is no descriptor left.
  explicit KafkaBroker(const KafkaConfig& config);
  ~KafkaBroker() override;

  void start(const LaneContext& context) override;

  /// A destination that comes while the lane runs. `index` is the next one, or that of a destination which was removed;
  /// `config` outlives it. If a client is connected, and its topic is new, the topic is looked up at once.
  ///
  /// librdkafka fixes a topic's message timeout when the topic is first used. If the new destination shares a topic and
  /// has a longer timeout, the client reports its late messages as `unavailable` before their deadline, and the lane
  /// sends them again.
  void add_destination(const BrokerConfig& config, std::size_t index) override;
  /// None of its messages may be in flight. Its configuration is not used afterwards.
  void remove_destination(std::size_t index) override;

  void connect(BrokerEvents& events) override;
  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override;
  void poll(BrokerEvents& events) override;
  [[nodiscard]] WaitRequest wait_request() const override;
  [[nodiscard]] std::string why_unconfirmed(const OutboundMessage& message) const override;
  void close(BrokerEvents& events, std::chrono::milliseconds timeout) override;

  /// The client's callback: a broker holds its answers up for so long, because of a quota; 0: no longer.
  void throttled(const char* by, std::chrono::milliseconds pause);

 private:
  using Topic = KafkaDestinations::Topic;

  void serve_events(BrokerEvents& events);
  std::size_t serve_reports(std::size_t most, BrokerEvents& events);
  void serve_report(const rd_kafka_message_t& report, BrokerEvents& events);
  void serve_error(rd_kafka_resp_err_t error, std::string text, BrokerEvents& events);
  enum class Offered : std::uint8_t { taken, completed, client_full, client_ended };
  Offered offer(Topic& topic, const OutboundMessage& message, std::int64_t timestamp, BrokerEvents& events);
  void complete(Topic& topic, const OutboundMessage& message, Outcome&& outcome, BrokerEvents& events);
  void send_parts(Topic& topic, BrokerEvents& events);
  void complete_held(const Status& why, BrokerEvents& events);
  void watch_connection(BrokerEvents& events);
  void watch_large_messages();
  void give_up_client(Status why);
  void free_client(std::chrono::milliseconds patience);

  const KafkaConfig config_;
  KafkaProducer producer_;
  KafkaDestinations destinations_;
  KafkaConnectionWatch connection_;
  KafkaLargeMessages large_;
  std::optional<Status> given_up_;  // why the client was given up; until its last report is served it stays
  bool connected_now_ = false;      // connect() was called after the last poll()
  KafkaEvent reports_;              // of many messages; those that poll() has not served yet
  bool more_events_ = false;
  TimePoint last_poll_;
};

}  // namespace action_triggers::detail
