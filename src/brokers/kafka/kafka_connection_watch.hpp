// SPDX-License-Identifier: MIT
/// What a lane is told of a Kafka client's connections: whether a broker answers, and whether a quota holds it up.
///
/// That all brokers are down the client says as soon as each has failed once: also where a host has more addresses to
/// be tried, where an idle connection was closed, and where it will be up again in a moment. So that counts when there
/// has been no answer for a while. Some versions never say it, and none says what an outage of one broker means for the
/// messages that only it can take: so failures are kept by broker, until the broker answers.
///
/// Calls nothing of librdkafka's; each `now` is the time of the broker's last poll().
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "action_triggers/broker.hpp"
#include "action_triggers/kafka.hpp"
#include "brokers/kafka/kafka_client.hpp"

namespace action_triggers::detail {

class KafkaConnectionWatch {
 public:
  /// `config` outlives it.
  explicit KafkaConnectionWatch(const KafkaConfig& config) : config_(config) {}

  /// There is a new client, which has connected to nothing.
  void restart();

  // What the client says.
  void all_down(TimePoint now);
  /// A broker cannot be reached, a name cannot be looked up, …
  void failed(std::string text, TimePoint now, BrokerEvents& events);
  void throttled(const char* by, std::chrono::milliseconds pause, TimePoint now);

  /// Looks at who has answered, and whether every broker that is known has failed.
  void look(KafkaSigns& signs, TimePoint now);
  /// Whether brokers have answered since it was last asked; `answers` is how often they ever did.
  [[nodiscard]] bool has_answered(std::uint64_t answers);
  /// Tells the lane that there is a connection; false if it knew.
  bool tell_up(BrokerEvents& events);

  /// Whether the client said that all are down, none has answered since, and the lane was not told.
  [[nodiscard]] bool is_in_doubt() const { return down_ && !was_told_down_; }
  /// Whether that has lasted. Only if is_in_doubt().
  [[nodiscard]] bool is_down(bool has_messages, TimePoint now) const;
  [[nodiscard]] std::string why_down() const;
  void tell_down(TimePoint now, BrokerEvents& events);

  /// The broker that could not be reached last, and why, if there is one that has not answered since; else empty.
  [[nodiscard]] std::string trouble(TimePoint now) const;
  /// Tells the lane of it, and when it is over. It matters while there are messages, one of which may wait for it.
  void tell_trouble(bool has_messages, TimePoint now, BrokerEvents& events);

  /// Tells the lane if throttling has begun or ended.
  void watch_throttle(TimePoint now, BrokerEvents& events);

  /// When to look again. Without a client no answer is waited for.
  [[nodiscard]] TimePoint next_look(bool has_client, TimePoint now) const;
  [[nodiscard]] const std::string& last_error() const { return last_error_; }

 private:
  struct Logged {
    std::uint64_t times = 0;  // since it was logged
    TimePoint at;
  };

  struct Unreachable {
    std::int32_t id;  // -1: a bootstrap server
    std::string text;
    TimePoint since;
    TimePoint latest;
    std::uint64_t answers;  // how many there had been
  };

  void keep_unreachable(const std::string& text, TimePoint now);
  [[nodiscard]] bool have_all_failed(const std::map<std::int32_t, std::uint64_t>& answered) const;
  void log_once(LogLevel level, const std::string& text, TimePoint now, BrokerEvents& events);

  const KafkaConfig& config_;
  std::uint64_t answers_ = 0;      // that the lane knows of
  bool is_reachable_ = false;      // as the lane was told
  std::optional<TimePoint> down_;  // since when no address is known that can be reached
  bool is_certain_ = false;        // every server has failed, or the client says so
  bool was_told_down_ = false;
  std::string last_error_;                          // of a connection
  std::set<std::string> failing_;                   // errors of connections since down_
  std::map<std::string, Logged> failures_;          // what the log has, by text
  std::map<std::string, Unreachable> unreachable_;  // brokers, by the client's name for them
  std::string told_trouble_;
  TimePoint throttled_until_ = TimePoint::min();
  std::string throttled_by_;
  bool was_throttled_ = false;  // as the lane was told
};

}  // namespace action_triggers::detail
