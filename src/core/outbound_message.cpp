// SPDX-License-Identifier: MIT
#include "action_triggers/outbound_message.hpp"

#include <cstring>

#include "core/destination_ref.hpp"
#include "core/payload.hpp"

namespace action_triggers {

std::string_view MessageView::body() const noexcept { return payload_->body(); }
std::string_view MessageView::key() const noexcept { return payload_->key(); }
std::string_view MessageView::content_type() const noexcept { return payload_->content_type(); }
std::string_view MessageView::id() const noexcept { return payload_->id(); }
std::size_t MessageView::header_count() const noexcept { return payload_->header_count(); }

HeaderView MessageView::next_header(const char*& at) const noexcept {
  if (at == nullptr) at = payload_->headers();
  detail::PackedHeader packed;
  std::memcpy(&packed, at, sizeof packed);
  const char* const name = at + sizeof packed;
  at = name + packed.name_size() + packed.value_size;
  return {{name, packed.name_size()}, {name + packed.name_size(), packed.value_size}, packed.type()};
}

std::optional<std::chrono::milliseconds> MessageView::expiration() const noexcept {
  const auto ms = payload_->expiration_ms();
  return ms ? std::optional(std::chrono::milliseconds(*ms)) : std::nullopt;
}

std::optional<std::uint8_t> MessageView::priority() const noexcept {
  const std::int16_t priority = payload_->priority();
  return priority < 0 ? std::nullopt : std::optional(static_cast<std::uint8_t>(priority));
}

std::optional<PropertiesView> MessageView::properties() const noexcept {
  if (!payload_->has_properties()) return std::nullopt;
  return payload_->properties();
}

Message MessageView::copy() const {
  Message message;
  message.body = body();
  message.key = key();
  message.content_type = content_type();
  message.id = id();
  message.headers.reserve(header_count());
  for_each_header([&](HeaderView header) {
    message.headers.push_back(
        {.name = std::string(header.name), .value = std::string(header.value), .type = header.type});
  });
  message.expiration = expiration();
  message.priority = priority();
  if (const auto more = properties()) {
    message.properties = Properties{.type = std::string(more->type),
                                    .correlation_id = std::string(more->correlation_id),
                                    .reply_to = std::string(more->reply_to),
                                    .app_id = std::string(more->app_id),
                                    .content_encoding = std::string(more->content_encoding),
                                    .user_id = std::string(more->user_id),
                                    .timestamp = more->timestamp,
                                    .partition = more->partition,
                                    .tombstone = more->tombstone};
  }
  return message;
}

const BrokerConfig& OutboundMessage::destination() const noexcept { return *destination_->broker_config; }
std::size_t OutboundMessage::destination_index() const noexcept { return destination_->index; }
std::uint32_t OutboundMessage::attempt() const noexcept { return attempts_; }

}  // namespace action_triggers
