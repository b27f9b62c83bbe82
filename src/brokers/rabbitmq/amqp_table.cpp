// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/amqp_table.hpp"

#include <variant>

namespace action_triggers::detail {

void AmqpTable::add(const RabbitMqTable& table) {
  for (const auto& [key, value] : table) entries_.push_back({.key = to_amqp(key), .value = value_of(value)});
}

amqp_field_value_t AmqpTable::value_of(const RabbitMqValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.value)) return text_entry({}, *text).value;
  if (const auto* integer = std::get_if<std::int64_t>(&value.value)) return integer_entry({}, *integer).value;
  if (const auto* flag = std::get_if<bool>(&value.value)) return boolean_entry({}, *flag).value;
  amqp_field_value_t field{};
  if (const auto* number = std::get_if<double>(&value.value)) {
    field.kind = AMQP_FIELD_KIND_F64;
    field.value.f64 = *number;
  } else if (const auto* list = std::get_if<RabbitMqList>(&value.value)) {
    std::vector<amqp_field_value_t>& items = lists_.emplace_back();
    for (const RabbitMqValue& item : *list) items.push_back(value_of(item));
    field.kind = AMQP_FIELD_KIND_ARRAY;
    field.value.array = {static_cast<int>(items.size()), items.data()};
  } else {
    field.kind = AMQP_FIELD_KIND_TABLE;
    field.value.table = tables_.emplace_back(std::get<RabbitMqTable>(value.value)).get();
  }
  return field;
}

}  // namespace action_triggers::detail
