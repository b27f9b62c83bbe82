// SPDX-License-Identifier: MIT
/// A RabbitMqTable as rabbitmq-c's encoders read it.
#pragma once

#include <deque>
#include <vector>

#include "action_triggers/rabbitmq.hpp"
#include "brokers/rabbitmq/amqp.hpp"

namespace action_triggers::detail {

class AmqpTable {
 public:
  /// Refers to `table`.
  explicit AmqpTable(const RabbitMqTable& table) { add(table); }

  /// One more entry; `key` and `text` are referred to.
  void add_text(std::string_view key, std::string_view text) { entries_.push_back(text_entry(key, text)); }

  /// Refers to this.
  [[nodiscard]] amqp_table_t get() { return {static_cast<int>(entries_.size()), entries_.data()}; }

 private:
  void add(const RabbitMqTable& table);
  amqp_field_value_t value_of(const RabbitMqValue& value);

  std::vector<amqp_table_entry_t> entries_;
  std::deque<AmqpTable> tables_;                       // nested ones
  std::deque<std::vector<amqp_field_value_t>> lists_;  // likewise
};

}  // namespace action_triggers::detail
