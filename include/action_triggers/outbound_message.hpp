// SPDX-License-Identifier: MIT
/// A fired message as others see it: views into the one copy that fire() made.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/message.hpp"

namespace action_triggers {

struct HeaderView {
  std::string_view name;
  std::string_view value;
  HeaderType type = HeaderType::text;
};

/// Properties, as views.
struct PropertiesView {
  std::string_view type;
  std::string_view correlation_id;
  std::string_view reply_to;
  std::string_view app_id;
  std::string_view content_encoding;
  std::string_view user_id;
  std::optional<std::chrono::sys_time<std::chrono::milliseconds>> timestamp{};
  std::optional<std::int32_t> partition{};
  bool tombstone = false;
};

namespace detail {
class Payload;
struct DestinationRef;
}  // namespace detail

/// What was fired, byte for byte. For brokers (OutboundMessage), and for DispatcherOptions::on_failure.
class ACTION_TRIGGERS_EXPORT MessageView {
 public:
  MessageView(const MessageView&) = delete;
  MessageView& operator=(const MessageView&) = delete;

  [[nodiscard]] std::string_view body() const noexcept;
  [[nodiscard]] std::string_view key() const noexcept;
  /// Empty if the application gave none; the destination may have a default.
  [[nodiscard]] std::string_view content_type() const noexcept;
  /// The application's id, or a UUIDv7. The same at every attempt.
  [[nodiscard]] std::string_view id() const noexcept;

  [[nodiscard]] std::size_t header_count() const noexcept;
  /// Calls `visit(HeaderView)` for each header in order.
  template <class Visitor>
  void for_each_header(Visitor&& visit) const {
    const char* at = nullptr;
    for (std::size_t left = header_count(); left > 0; --left) visit(next_header(at));
  }

  [[nodiscard]] std::optional<std::chrono::milliseconds> expiration() const noexcept;
  [[nodiscard]] std::optional<std::uint8_t> priority() const noexcept;

  /// Absent: the message has none of them.
  [[nodiscard]] std::optional<PropertiesView> properties() const noexcept;

  /// All of it as a value, to keep it or to fire it again.
  [[nodiscard]] Message copy() const;

 protected:
  MessageView() = default;
  ~MessageView() = default;

  const detail::Payload* payload_ = nullptr;

 private:
  /// The header at `at` (nullptr: the first); `at` is moved behind it.
  HeaderView next_header(const char*& at) const noexcept;
};

/// A message on its way out, as a Broker sees it. Valid until the broker completes it.
class ACTION_TRIGGERS_EXPORT OutboundMessage : public MessageView {
 public:
  /// The destination that this message was fired at, and its number: its position in LaneContext::destinations, or
  /// the index of add_destination().
  [[nodiscard]] const BrokerConfig& destination() const noexcept;
  [[nodiscard]] std::size_t destination_index() const noexcept;

  /// 1 for the first time the message is handed on.
  [[nodiscard]] std::uint32_t attempt() const noexcept;

 protected:
  OutboundMessage() = default;
  ~OutboundMessage() = default;

  const detail::DestinationRef* destination_ = nullptr;
  std::uint32_t attempts_ = 0;
};

}  // namespace action_triggers
