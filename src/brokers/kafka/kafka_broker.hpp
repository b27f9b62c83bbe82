// SPDX-License-Identifier: MIT
/// Kafka over librdkafka: one client for each lane, produced to and polled on the lane's thread alone.
///
/// Bodies are not copied: librdkafka points at the lane's message until its delivery report is served. A client that
/// cannot go on (a fatal error, refused credentials) is purged and serves its reports, then connect() makes another
/// one; the lane sends again, in order, what came back.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "action_triggers/broker.hpp"
#include "base/wake_fd.hpp"
#include "brokers/kafka/kafka_client.hpp"
#include "brokers/kafka/kafka_headers.hpp"

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
  void close(BrokerEvents& events, std::chrono::milliseconds timeout) override;

  /// The client's callback: a broker holds its answers up for so long, because of a quota; 0: no longer.
  void throttled(const char* by, std::chrono::milliseconds pause);

 private:
  /// What a destination needs for sending.
  struct Target {
    const KafkaConfig* config = nullptr;  // nullptr: removed
    std::size_t topic = 0;                // its position in topics_
  };
  using Messages = std::vector<const OutboundMessage*>;
  /// Destinations share it if their topic is the same.
  struct Topic {
    std::string name;     // empty: no destination uses it
    KafkaTopic handle{};  // of client_; empty without one

    bool was_written = false;                // by this process: it exists, whatever a broker says for a moment
    std::optional<TimePoint> unknown_since;  // the cluster says that it does not exist

    // What was refused with its batch is tried again in parts, one after the other, each by itself, and a part that is
    // refused in halves, until the error is one message's. Meanwhile nothing newer of the topic is sent.
    std::size_t in_client = 0;  // its messages that the client has
    Messages refused;           // to be divided when the client has none of them
    std::deque<Messages> parts;
    std::size_t part_size = 0;  // of the part that the client has; 0: it has none
    bool was_divided = false;   // for the log
    [[nodiscard]] bool is_divided() const { return part_size > 0 || !refused.empty() || !parts.empty(); }
  };

  struct Logged {
    std::uint64_t times = 0;  // since it was logged
    TimePoint at;
  };

  [[nodiscard]] bool make_client(BrokerEvents& events);
  [[nodiscard]] Status make_topic_handle(std::size_t topic);
  [[nodiscard]] std::size_t topic_position(const std::string& name);
  [[nodiscard]] std::chrono::milliseconds longest_timeout(std::size_t topic) const;
  [[nodiscard]] bool has_attempt_limit() const;
  [[nodiscard]] KafkaError produce(const Target& target, const OutboundMessage& message, std::int64_t timestamp);

  void serve_events(BrokerEvents& events);
  void send_parts(Topic& topic, BrokerEvents& events);
  void complete_held(const Status& why, BrokerEvents& events);
  void count_in(Topic& topic, const OutboundMessage& message);
  void count_out(Topic& topic, const OutboundMessage& message);
  [[nodiscard]] Outcome refusal(Topic& topic, const OutboundMessage& message, rd_kafka_resp_err_t error) const;
  [[nodiscard]] Status unknown_topic(Topic& topic, const OutboundMessage& message, Status why) const;
  [[nodiscard]] Topic& topic_of(const OutboundMessage& message) {
    return topics_[targets_[message.destination_index()].topic];
  }
  void serve_reports(rd_kafka_event_t* event, BrokerEvents& events);
  void serve_error(rd_kafka_resp_err_t error, std::string text, BrokerEvents& events);
  void watch_connection(BrokerEvents& events);
  void watch_throttle(BrokerEvents& events);
  void watch_large_messages();
  void log_once(LogLevel level, const std::string& text, BrokerEvents& events);

  void give_up_client(Status why);
  void free_client(std::chrono::milliseconds patience);
  /// False in a child of fork(). The client's threads are not there, so it may be neither used nor destroyed.
  [[nodiscard]] bool is_ours() const;

  const KafkaConfig config_;
  std::vector<Target> targets_;  // by OutboundMessage::destination_index()
  std::vector<Topic> topics_;

  const WakeFd has_events_;       // librdkafka's threads wake it when queue_ has something
  std::uint32_t generation_ = 0;  // fork_generation() when client_ was made
  rd_kafka_t* client_ = nullptr;
  KafkaQueue queue_;
  KafkaHeaderLists header_lists_;
  std::optional<Status> given_up_;   // why client_ was given up; until its last report is served it stays
  bool isolates_large_ = false;      // that is why: its large messages are sent again one by one
  bool was_apart_ = false;           // there was one
  bool large_apart_ = false;         // until none waits, no other large message is taken
  std::size_t large_in_client_ = 0;  // messages
  std::shared_ptr<KafkaSigns> signs_;
  std::uint64_t answers_ = 0;      // that the lane knows of
  bool is_reachable_ = false;      // as the lane was told
  std::optional<TimePoint> down_;  // since when no address is known that can be reached
  bool was_told_down_ = false;
  std::string last_error_;                  // of a connection
  std::set<std::string> failing_;           // errors of connections since down_
  std::map<std::string, Logged> failures_;  // what the log has, by text
  TimePoint throttled_until_ = TimePoint::min();
  std::string throttled_by_;
  bool was_throttled_ = false;  // as the lane was told
  bool connected_now_ = false;  // connect() was called after the last poll()
  bool more_events_ = false;
  TimePoint last_poll_;
};

}  // namespace action_triggers::detail
