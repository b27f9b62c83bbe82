// SPDX-License-Identifier: MIT
/// A lane for tests of one broker: single-threaded, in real time, and everything it was told can be looked at.
#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/broker.hpp"
#include "support/test_message.hpp"

namespace action_triggers::tests {

/// Does to a broker what a lane does, on the thread of the test: sleeps on wait_request(), then polls. It never
/// retries, and connects only when told to.
class TestLane : public BrokerEvents {
 public:
  using Configs = std::vector<std::shared_ptr<const BrokerConfig>>;

  /// Starts the broker with these destinations.
  TestLane(std::unique_ptr<Broker> subject, Configs configs)
      : broker(std::move(subject)), configs_(std::move(configs)) {
    for (const auto& config : configs_) destinations_.push_back(config.get());
    broker->start(LaneContext{.destinations = destinations_, .waker = Waker([] {})});
  }
  virtual ~TestLane() {
    if (broker) broker->close(*this, std::chrono::milliseconds(1'500));
  }
  TestLane(const TestLane&) = delete;
  TestLane& operator=(const TestLane&) = delete;

  void connect() { broker->connect(*this); }

  /// A message for one destination, by its position; sent in the next turn.
  TestMessage& add(const Message& message, std::uint32_t destination = 0) {
    messages.push_back(std::make_unique<TestMessage>(*configs_[destination], destination, message));
    unsent_.push_back(messages.back().get());
    return static_cast<TestMessage&>(*messages.back());
  }

  /// Everything that has an outcome which a lane would try again, in order, once more.
  void offer_failed_again() {
    for (const auto& message : messages) {
      if (!message->outcomes.empty() && message->outcomes.back().status.retryable()) unsent_.push_back(message.get());
    }
  }

  /// Turns until `done`; false if that takes longer than `patience`.
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    const TimePoint deadline = Clock::now() + patience;
    while (true) {
      broker->poll(*this);
      send();
      if (done()) return true;
      if (Clock::now() >= deadline) return false;
      const WaitRequest request = broker->wait_request();
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::min(request.at, deadline) - Clock::now());
      pollfd descriptor{.fd = request.fd, .events = POLLIN, .revents = 0};
      // Nothing wakes it but what wait_request() names: a wake-up that was forgotten runs into `patience`.
      ::poll(&descriptor, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    }
  }
  bool run_until_completed(std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    return run_until([&] { return completed == messages.size(); }, patience);
  }
  bool run_until_disconnected(std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    return run_until([&] { return !disconnects.empty(); }, patience);
  }

  /// Adds one message and gives its outcome.
  Outcome deliver(const Message& message, std::chrono::milliseconds patience = std::chrono::seconds(10),
                  std::uint32_t destination = 0) {
    const TestMessage& added = add(message, destination);
    if (!run_until([&] { return !added.outcomes.empty(); }, patience))
      return Outcome::failed({StatusCode::timed_out, {}});
    return added.outcomes.back();
  }

  /// Puts a configuration at the next position, or at one that was given up. The broker is told by the test.
  const BrokerConfig& set_config(std::size_t index, std::shared_ptr<const BrokerConfig> config) {
    if (index == configs_.size()) configs_.emplace_back();
    configs_[index] = std::move(config);
    return *configs_[index];
  }

  [[nodiscard]] std::size_t unsent() const { return unsent_.size(); }

  // BrokerEvents
  void complete(const OutboundMessage& message, Outcome outcome) override {
    auto& ours = const_cast<TestMessage&>(static_cast<const TestMessage&>(message));
    if (ours.outcomes.empty()) ++completed;
    ours.outcomes.push_back(std::move(outcome));
  }
  void connected() override { is_connected = true; }
  void disconnected(Status why) override {
    is_connected = false;
    disconnects.push_back(std::move(why));
  }
  void blocked(bool is_blocked, std::string_view why) override { blocks.emplace_back(is_blocked, why); }
  void reconnecting(bool is_reconnecting, std::string_view why) override {
    reconnects.emplace_back(is_reconnecting, why);
  }
  void log(LogLevel /*level*/, std::string_view text) override { logs.emplace_back(text); }
  [[nodiscard]] TimePoint now() const override { return Clock::now() + skipped; }

  std::chrono::nanoseconds skipped{0};  ///< The lane's time is ahead of the clock by this.
  std::unique_ptr<Broker> broker;
  std::vector<std::unique_ptr<TestMessage>> messages;
  std::size_t completed = 0;
  bool is_connected = false;
  std::vector<Status> disconnects;
  std::vector<std::pair<bool, std::string>> blocks;
  std::vector<std::pair<bool, std::string>> reconnects;
  std::vector<std::string> logs;

 private:
  void send() {
    while (is_connected && !unsent_.empty()) {
      std::vector<const OutboundMessage*> batch;
      for (TestMessage* message : unsent_) {
        if (batch.size() == 256 || message->destination_index() != unsent_.front()->destination_index()) break;
        batch.push_back(message);
      }
      const std::size_t taken = broker->send(batch, *this);
      unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(taken));
      if (taken < batch.size()) return;
    }
  }

  Configs configs_;
  std::vector<const BrokerConfig*> destinations_;
  std::deque<TestMessage*> unsent_;
};

}  // namespace action_triggers::tests
