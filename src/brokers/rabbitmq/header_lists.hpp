// SPDX-License-Identifier: MIT
/// Headers that are lists (HeaderType::list), as AMQP has them: arrays.
#pragma once

#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "brokers/rabbitmq/amqp.hpp"
#include "config/document.hpp"

namespace action_triggers::detail {

/// The texts, integers and booleans of a JSON array; absent: it is none, or holds something else.
std::optional<std::vector<Node>> list_of(std::string_view json);

/// A 32-bit integer where it fits one, as other clients do; and not all of them (pika) read 64 bits with their sign.
amqp_field_value_t narrowed(std::int64_t value) noexcept;

/// The arrays of one message: they refer to this until clear().
class HeaderLists {
 public:
  void clear() noexcept { lists_.clear(); }
  amqp_field_value_t add(std::string_view json);

 private:
  struct List {
    std::vector<Node> items;
    std::vector<amqp_field_value_t> values;
  };
  std::deque<List> lists_;
};

}  // namespace action_triggers::detail
