// SPDX-License-Identifier: MIT
/// What an application fires.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace action_triggers {

struct Header {
  std::string name;
  std::string value;

  friend bool operator==(const Header&, const Header&) = default;
};

/// One message: bytes, and what travels beside them. fire() copies it; the application keeps its own. The members have
/// initialisers so that `Message{.body = "…", .key = "…"}` compiles without warnings.
struct Message {
  /// The payload, sent byte for byte as it is.
  std::string body{};

  /// Kafka: the record key, which chooses the partition (murmur2, as Java does) and with it the order.
  /// RabbitMQ: the routing key, where `params.key_as_routing_key` allows it; otherwise unused. Empty: none.
  std::string key{};

  /// Kafka record headers, or the AMQP `headers` table (long strings). Order and repeats are kept on Kafka.
  std::vector<Header> headers{};

  /// A MIME type. Kafka: header `content-type`; RabbitMQ: the content-type property. Empty: `params.content_type`.
  std::string content_type{};

  /// Identifies the message across retries, so that a consumer can drop duplicates. Empty: fire() makes a UUIDv7.
  std::string id{};

  /// RabbitMQ only: how long the broker keeps the message (AMQP `expiration`). Absent: `params.expiration_ms`.
  std::optional<std::chrono::milliseconds> expiration{};

  /// RabbitMQ only: 0 (lowest) to 255, for queues declared with x-max-priority. Absent: `params.priority`.
  std::optional<std::uint8_t> priority{};

  friend bool operator==(const Message&, const Message&) = default;
};

}  // namespace action_triggers
