// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/header_lists.hpp"

#include <algorithm>
#include <utility>

#include "config/json_parser.hpp"

namespace action_triggers::detail {
namespace {

bool may_be_listed(const Node& item) {
  return item.is(Node::Kind::string) || item.is(Node::Kind::integer) || item.is(Node::Kind::boolean);
}

amqp_field_value_t value_of(const Node& item) {
  if (item.is(Node::Kind::string)) return text_entry({}, item.string).value;
  if (item.is(Node::Kind::boolean)) return boolean_entry({}, item.boolean).value;
  return narrowed(item.integer);
}

}  // namespace

std::optional<std::vector<Node>> list_of(std::string_view json) {
  std::vector<ConfigProblem> problems;
  Node list = parse_document(json, TextPositions(json), problems);
  const bool is_list = problems.empty() && list.is(Node::Kind::array);
  if (!is_list || !std::all_of(list.items.begin(), list.items.end(), may_be_listed)) return std::nullopt;
  return std::move(list.items);
}

amqp_field_value_t narrowed(std::int64_t value) noexcept {
  amqp_field_value_t field = integer_entry({}, value).value;
  if (const auto narrow = static_cast<std::int32_t>(value); narrow == value) {
    field.kind = AMQP_FIELD_KIND_I32;
    field.value.i32 = narrow;
  }
  return field;
}

amqp_field_value_t HeaderLists::add(std::string_view json) {
  List& list = lists_.emplace_back();
  list.items = list_of(json).value_or(std::vector<Node>());
  for (const Node& item : list.items) list.values.push_back(value_of(item));
  amqp_field_value_t field{};
  field.kind = AMQP_FIELD_KIND_ARRAY;
  field.value.array = {static_cast<int>(list.values.size()), list.values.data()};
  return field;
}

}  // namespace action_triggers::detail
