/// Kafka over librdkafka: one client a lane, produced to and polled from the lane's thread alone.
///
/// Bodies are not copied on the way down: librdkafka points at the lane's record until its delivery report is served.
/// A client that is of no use any more (fatal error, refused credentials) is purged, serves its reports and is replaced
/// by connect(); the lane sends what came back again, in order.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "action_triggers/broker.hpp"
#include "brokers/kafka/kafka_client.hpp"

namespace action_triggers::detail {

class KafkaBroker final : public Broker {
 public:
  /// Throws std::system_error if there is no descriptor left.
  explicit KafkaBroker(const KafkaConfig& config);
  ~KafkaBroker() override;

  void start(const LaneContext& context) override;
  void connect(BrokerEvents& events) override;
  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override;
  void poll(BrokerEvents& events) override;
  [[nodiscard]] WaitRequest wait_request() const override;
  void close(BrokerEvents& events, std::chrono::milliseconds timeout) override;

 private:
  struct Name {
    const KafkaConfig* config;
    std::size_t topic;  // of topic_names_ and topics_
  };

  void serve_events(BrokerEvents& events);
  static Outcome unproven();
  void serve_reports(rd_kafka_event_t* event, BrokerEvents& events);
  void serve_error(rd_kafka_resp_err_t error, const std::string& text, BrokerEvents& events);
  void give_up_client(Status why, BrokerEvents& events);
  void free_client(bool in_background);
  [[nodiscard]] KafkaError produce(const Name& name, const OutboundMessage& message, std::int64_t timestamp);
  [[nodiscard]] KafkaHeaders headers_of(const KafkaConfig& config, const OutboundMessage& message);
  void keep_headers(const rd_kafka_message_t& report, const OutboundMessage& message);
  [[nodiscard]] std::chrono::milliseconds longest_timeout(std::size_t topic) const;
  /// Threads do not survive a fork: in the child the client is not to be touched.
  [[nodiscard]] bool is_ours() const;

  const KafkaConfig config_;
  std::vector<Name> names_;
  std::vector<std::string> topic_names_;
  bool report_down_ = false;  // a name limits its attempts, so an unreachable cluster counts as one

  const int event_fd_;
  pid_t pid_ = 0;
  rd_kafka_t* client_ = nullptr;
  KafkaQueue queue_;
  std::vector<KafkaTopic> topics_;
  std::vector<KafkaHeaders> spare_headers_;  // of messages that had only an id
  std::optional<Status> given_up_;           // why; the client is only waited for
  bool down_ = false;
  std::string last_error_;
  bool more_events_ = false;
  TimePoint last_poll_;
};

}  // namespace action_triggers::detail
