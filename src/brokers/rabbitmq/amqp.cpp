// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/amqp.hpp"

namespace action_triggers::detail {
namespace {

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

std::string to_string(const HostPort& host) { return host.host + ":" + std::to_string(host.port); }

}  // namespace action_triggers::detail
