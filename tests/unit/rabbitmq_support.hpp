// SPDX-License-Identifier: MIT
/// What the unit tests of the RabbitMQ broker's parts share: messages made by hand, and a lane that only writes down.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/broker.hpp"
#include "action_triggers/testing/outbound_message.hpp"

namespace action_triggers::tests {

/// A message as a lane would offer it, where the destination's configuration does not matter.
class OfferedMessage final : public testing::OfferedMessage {
 public:
  explicit OfferedMessage(const Message& message, std::uint32_t destination = 0, std::uint32_t attempt = 1)
      : testing::OfferedMessage(message, no_config(), destination, attempt) {}

 private:
  static const BrokerConfig& no_config() {
    static const BrokerConfig config;
    return config;
  }
};

/// Writes down what a broker says, in order.
class RecordedEvents final : public BrokerEvents {
 public:
  struct Completed {
    const OutboundMessage* message;
    StatusCode code;
    Persistence persistence;
    std::string text;
  };

  void complete(const OutboundMessage& message, Outcome outcome) override {
    completed.push_back({&message, outcome.status.code(), outcome.persistence, outcome.status.message()});
  }
  void connected() override { ++connections; }
  void disconnected(Status why) override { disconnects.push_back(std::move(why)); }
  void blocked(bool /*is_blocked*/, std::string_view /*why*/) override {}
  void log(LogLevel /*level*/, std::string_view /*text*/) override {}
  [[nodiscard]] TimePoint now() const override { return time ? *time : Clock::now(); }

  /// The ids of what was completed, in order.
  [[nodiscard]] std::vector<std::string> ids() const {
    std::vector<std::string> ids;
    for (const Completed& each : completed) ids.emplace_back(each.message->id());
    return ids;
  }

  std::optional<TimePoint> time;  ///< Virtual, if set.
  std::vector<Completed> completed;
  std::size_t connections = 0;
  std::vector<Status> disconnects;
};

}  // namespace action_triggers::tests
