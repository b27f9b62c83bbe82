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

namespace action_triggers::tests {

/// A message as a lane would offer it.
class OfferedMessage final : public OutboundMessage {
 public:
  explicit OfferedMessage(const Message& message, std::uint32_t destination = 0, std::uint32_t attempt = 1)
      : block_(message.body + message.key + message.content_type + message.id) {
    for (const Header& header : message.headers) {
      const std::array<std::uint32_t, 2> sizes{static_cast<std::uint32_t>(header.name.size()),
                                               static_cast<std::uint32_t>(header.value.size())};
      std::array<char, sizeof sizes> bytes{};
      std::memcpy(bytes.data(), sizes.data(), sizeof sizes);
      block_.append(bytes.data(), bytes.size()).append(header.name).append(header.value);
    }
    bytes_ = block_.data();
    body_size_ = static_cast<std::uint32_t>(message.body.size());
    key_size_ = static_cast<std::uint32_t>(message.key.size());
    content_type_size_ = static_cast<std::uint32_t>(message.content_type.size());
    id_size_ = static_cast<std::uint32_t>(message.id.size());
    header_count_ = static_cast<std::uint32_t>(message.headers.size());
    if (message.expiration) expiration_ms_ = message.expiration->count();
    if (message.priority) priority_ = *message.priority;
    attempts_ = attempt;
    destination_index_ = destination;
  }

 private:
  std::string block_;
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
