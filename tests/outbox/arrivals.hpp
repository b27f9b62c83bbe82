// SPDX-License-Identifier: MIT
/// Where an outbox's messages arrive: queues of the private RabbitMQ and topics of the private Kafka, how many are
/// there at any moment, and what they are in the end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "live/servers.hpp"

namespace action_triggers::tests {

/// A destination's queue or topic, which a test has for itself.
struct Place {
  enum class Kind : std::uint8_t { rabbitmq, kafka };
  std::string destination;
  Kind kind = Kind::rabbitmq;
  std::string name;
};

constexpr int kafka_partitions = 3;

/// Makes it: an empty queue that survives its broker, or a topic.
void make_place(const Place& place);

/// Everything that has arrived there, in the order of arrival: taken out of a queue, read from a topic.
std::vector<Received> read_place(const Place& place);

/// Asks the brokers again and again, on a thread of its own, how many messages have arrived.
class ArrivalWatch {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ArrivalWatch(std::vector<Place> places);
  ~ArrivalWatch();
  ArrivalWatch(const ArrivalWatch&) = delete;
  ArrivalWatch& operator=(const ArrivalWatch&) = delete;

  /// Where all places answered last: so many messages.
  std::uint64_t count();
  /// From `moment` to the first message that was seen to arrive after it.
  std::optional<std::chrono::milliseconds> first_after(Clock::time_point moment);

  /// Until it holds; it is asked after each look at the brokers, and sometimes between them. False after `patience`.
  bool eventually(const std::function<bool()>& condition, std::chrono::seconds patience = std::chrono::seconds(60));

 private:
  void watch();

  const std::vector<Place> places_;
  std::mutex mutex_;
  std::condition_variable looked_;
  std::map<std::string, std::uint64_t> counts_;  // by destination, as last heard
  std::vector<Clock::time_point> rises_;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace action_triggers::tests
