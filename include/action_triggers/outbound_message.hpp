// SPDX-License-Identifier: MIT
/// A message as a Broker sees it: views into the lane's one copy.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/message.hpp"

namespace action_triggers {

struct HeaderView {
  std::string_view name;
  std::string_view value;
};

/// A message on its way out: views into the lane's one copy. Valid until the broker completes it.
class ACTION_TRIGGERS_EXPORT OutboundMessage {
 public:
  OutboundMessage(const OutboundMessage&) = delete;
  OutboundMessage& operator=(const OutboundMessage&) = delete;

  [[nodiscard]] std::string_view body() const noexcept { return {bytes_, body_size_}; }
  [[nodiscard]] std::string_view key() const noexcept { return {bytes_ + body_size_, key_size_}; }
  /// Empty if the application gave none; the destination may have a default.
  [[nodiscard]] std::string_view content_type() const noexcept {
    return {bytes_ + body_size_ + key_size_, content_type_size_};
  }
  /// The application's id, or a UUIDv7. The same at every attempt.
  [[nodiscard]] std::string_view id() const noexcept {
    return {bytes_ + body_size_ + key_size_ + content_type_size_, id_size_};
  }

  [[nodiscard]] std::size_t header_count() const noexcept { return header_count_; }
  /// Calls `visit(HeaderView)` for each header in order.
  template <class Visitor>
  void for_each_header(Visitor&& visit) const {
    const char* at = bytes_ + body_size_ + key_size_ + content_type_size_ + id_size_;
    for (std::uint32_t i = 0; i < header_count_; ++i) {
      std::uint32_t sizes[2];
      std::memcpy(sizes, at, sizeof sizes);
      at += sizeof sizes;
      visit(HeaderView{{at, sizes[0]}, {at + sizes[0], sizes[1]}});
      at += sizes[0] + sizes[1];
    }
  }

  [[nodiscard]] std::optional<std::chrono::milliseconds> expiration() const noexcept {
    return expiration_ms_ < 0 ? std::nullopt : std::optional(std::chrono::milliseconds(expiration_ms_));
  }
  [[nodiscard]] std::optional<std::uint8_t> priority() const noexcept {
    return priority_ < 0 ? std::nullopt : std::optional(static_cast<std::uint8_t>(priority_));
  }

  /// All of it as a value, for a broker that keeps messages.
  [[nodiscard]] Message copy() const;

  /// The destination that this message was fired at, and its index (see Broker::add_destination).
  [[nodiscard]] const BrokerConfig& destination() const noexcept { return *destination_; }
  [[nodiscard]] std::size_t destination_index() const noexcept { return destination_index_; }

  /// 1 for the first time the message is handed on.
  [[nodiscard]] std::uint32_t attempt() const noexcept { return attempts_; }

 protected:
  OutboundMessage() = default;
  ~OutboundMessage() = default;

  // One block: body, key, content type, id, then per header two sizes and two strings.
  const char* bytes_ = nullptr;
  std::uint32_t body_size_ = 0;
  std::uint32_t key_size_ = 0;
  std::uint32_t content_type_size_ = 0;
  std::uint32_t id_size_ = 0;
  std::uint32_t header_count_ = 0;
  std::uint32_t attempts_ = 0;
  std::int64_t expiration_ms_ = -1;
  const BrokerConfig* destination_ = nullptr;
  std::uint32_t destination_index_ = 0;
  std::int16_t priority_ = -1;
};

}  // namespace action_triggers
