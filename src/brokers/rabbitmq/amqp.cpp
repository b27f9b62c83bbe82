// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/amqp.hpp"

namespace action_triggers::detail {
namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

amqp_table_entry_t entry_of(std::string_view key, std::uint8_t kind) noexcept {
  amqp_table_entry_t entry{};
  entry.key = to_amqp(key);
  entry.value.kind = kind;
  return entry;
}

}  // namespace

amqp_table_entry_t text_entry(std::string_view key, std::string_view text) noexcept {
  amqp_table_entry_t entry = entry_of(key, AMQP_FIELD_KIND_UTF8);
  entry.value.value.bytes = to_amqp(text);
  return entry;
}

amqp_table_entry_t integer_entry(std::string_view key, std::int64_t value) noexcept {
  amqp_table_entry_t entry = entry_of(key, AMQP_FIELD_KIND_I64);
  entry.value.value.i64 = value;
  return entry;
}

amqp_table_entry_t boolean_entry(std::string_view key, bool value) noexcept {
  amqp_table_entry_t entry = entry_of(key, AMQP_FIELD_KIND_BOOLEAN);
  entry.value.value.boolean = value ? 1 : 0;
  return entry;
}

Status status_of_close(int reply_code, std::string_view reply_text) {
  const std::string text = "the broker says " + std::to_string(reply_code) + " " + std::string(reply_text);
  switch (reply_code) {
    case AMQP_NOT_FOUND:
      return {StatusCode::not_found, text + "; declare it on the broker first"};
    case AMQP_ACCESS_REFUSED:
      return {StatusCode::permission_denied, text + "; grant the user the right (rabbitmqctl set_permissions)"};
    case AMQP_CONTENT_TOO_LARGE:
      return {StatusCode::too_large, text};
    case AMQP_PRECONDITION_FAILED:
      if (contains(reply_text, "message size") || contains(reply_text, "max size")) {
        return {StatusCode::too_large, text + "; the broker's max_message_size is the limit"};
      }
      return {StatusCode::invalid_argument, text};
    default:
      return {StatusCode::unavailable, text};
  }
}

std::string to_string(const HostPort& host) { return host.host + ":" + std::to_string(host.port); }

}  // namespace action_triggers::detail
