// SPDX-License-Identifier: MIT
/// What an application fires.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "action_triggers/export.hpp"

namespace action_triggers {

/// A std::string that only text makes. `{"order", 42}` would be a std::string too, of 42 bytes from the address of
/// "order", and `0` one from no address: neither is a Text. For a part of a buffer write `std::string(data, size)`.
class Text : public std::string {
 public:
  Text() = default;
  /// A literal, a std::string, a std::string_view.
  template <class T>
  requires(std::convertible_to<T, std::string_view> && !std::is_null_pointer_v<T> && !std::same_as<T, Text>)
      Text(T text)  // NOLINT(google-explicit-constructor): as std::string
      : std::string(std::move(text)) {}
};

/// As what a header arrives on RabbitMQ. On Kafka every value is text.
enum class HeaderType : std::uint8_t { text, integer, boolean, list };

/// What a header that is a list may hold. Texts are UTF-8.
using HeaderItem = std::variant<Text, std::int64_t, bool>;

struct Header {
  Text name;
  Text value;  ///< An integer in decimals, a boolean as "true" or "false", a list as a JSON array.
  HeaderType type = HeaderType::text;  ///< See also integer(), boolean() and list().

  static Header integer(Text name, std::int64_t value) {
    return {std::move(name), std::to_string(value), HeaderType::integer};
  }
  static Header boolean(Text name, bool value) {
    return {std::move(name), value ? "true" : "false", HeaderType::boolean};
  }
  /// RabbitMQ: an array, as `CC` is one: `Header::list("CC", {"copy-queue"})`. Kafka: the JSON text.
  ACTION_TRIGGERS_EXPORT static Header list(Text name, const std::vector<HeaderItem>& items);

  friend bool operator==(const Header&, const Header&) = default;
};

/// What few messages have.
struct Properties {
  // RabbitMQ only: the AMQP properties of these names, at most 255 bytes each. Empty: none.
  Text type{};
  Text correlation_id{};
  Text reply_to{};
  Text app_id{};
  Text content_encoding{};
  Text user_id{};  ///< The user of the connection, which RabbitMQ vouches for. Another one is `invalid_argument`.

  /// When it happened, to the millisecond (RabbitMQ: to the second). Absent: when it is sent.
  std::optional<std::chrono::sys_time<std::chrono::milliseconds>> timestamp{};

  /// Kafka only: this partition, whatever the key says.
  std::optional<std::int32_t> partition{};

  /// Kafka: a record without a value, which deletes its key from a compacted topic; the body is not sent. RabbitMQ: an
  /// empty body.
  bool tombstone = false;

  friend bool operator==(const Properties&, const Properties&) = default;
};

/// A value that is usually absent, and then costs no more than a pointer. Copied with its owner.
template <class T>
class Rare {
 public:
  Rare() = default;
  Rare(T value) : value_(std::make_unique<T>(std::move(value))) {}  // NOLINT(google-explicit-constructor)
  Rare(const Rare& other) : value_(other ? std::make_unique<T>(*other) : nullptr) {}
  Rare(Rare&&) noexcept = default;
  Rare& operator=(Rare other) noexcept {
    value_ = std::move(other.value_);
    return *this;
  }
  ~Rare() = default;

  explicit operator bool() const noexcept { return value_ != nullptr; }
  T& operator*() noexcept { return *value_; }
  const T& operator*() const noexcept { return *value_; }
  T* operator->() noexcept { return value_.get(); }
  const T* operator->() const noexcept { return value_.get(); }

  friend bool operator==(const Rare& left, const Rare& right) {
    return left && right ? *left == *right : static_cast<bool>(left) == static_cast<bool>(right);
  }

 private:
  std::unique_ptr<T> value_;
};

/// One message: bytes, and what travels beside them. fire() copies it; the application keeps its own. The members have
/// initialisers so that `Message{.body = "…", .key = "…"}` compiles without warnings.
struct Message {
  /// The payload, sent byte for byte as it is.
  Text body{};

  /// Kafka: the record key, which chooses the partition (murmur2, as Java does) and with it the order.
  /// RabbitMQ: the routing key, where `params.key_as_routing_key` allows it; otherwise unused. Empty: none.
  Text key{};

  /// Kafka record headers, or the AMQP `headers` table (long strings, unless their type says otherwise). Order and
  /// repeats are kept on Kafka.
  std::vector<Header> headers{};

  /// A MIME type. Kafka: header `content-type`; RabbitMQ: the content-type property. Empty: `params.content_type`.
  Text content_type{};

  /// Identifies the message across retries, so that a consumer can drop duplicates. Empty: fire() makes a UUIDv7.
  Text id{};

  /// RabbitMQ only: how long the broker keeps the message (AMQP `expiration`). Absent: `params.expiration_ms`.
  std::optional<std::chrono::milliseconds> expiration{};

  /// RabbitMQ only: 0 (lowest) to 255, for queues declared with x-max-priority. Absent: `params.priority`.
  std::optional<std::uint8_t> priority{};

  /// The rest: `.properties = at::Properties{.type = "order.paid"}`.
  Rare<Properties> properties{};

  friend bool operator==(const Message&, const Message&) = default;
};

}  // namespace action_triggers
