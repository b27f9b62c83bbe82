// SPDX-License-Identifier: MIT
// params.declare: a queue, or an exchange with the queues that are bound to it.
#include <algorithm>
#include <array>
#include <utility>

#include "brokers/rabbitmq/amqp_limits.hpp"
#include "brokers/rabbitmq/rabbitmq_parse.hpp"
#include "config/document.hpp"
#include "config/field_table.hpp"
#include "config/section_reader.hpp"

namespace action_triggers::detail {
namespace {

// Arguments

/// What the server wants of an argument that it knows: "integer", "string" or "boolean"; empty: it knows it not.
std::string_view argument_type(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 20> types{
      {{"alternate-exchange", "string"},
       {"x-dead-letter-exchange", "string"},
       {"x-dead-letter-routing-key", "string"},
       {"x-dead-letter-strategy", "string"},
       {"x-delayed-type", "string"},
       {"x-delivery-limit", "integer"},
       {"x-expires", "integer"},
       {"x-max-age", "string"},
       {"x-max-length", "integer"},
       {"x-max-length-bytes", "integer"},
       {"x-max-priority", "integer"},
       {"x-message-ttl", "integer"},
       {"x-overflow", "string"},
       {"x-queue-leader-locator", "string"},
       {"x-queue-master-locator", "string"},
       {"x-queue-mode", "string"},
       {"x-queue-type", "string"},
       {"x-quorum-initial-group-size", "integer"},
       {"x-single-active-consumer", "boolean"},
       {"x-stream-max-segment-size-bytes", "integer"}}};
  const auto* const found =
      std::find_if(types.begin(), types.end(), [&](const auto& type) { return type.first == name; });
  return found == types.end() ? std::string_view() : found->second;
}

bool is_name_of_argument(std::string_view name) { return !name.empty() && name.size() <= amqp_short_string_limit; }

/// What is wrong with a value, as the end of a sentence; empty: nothing.
std::string_view mistake_in(const Node& value) {
  if (value.is(Node::Kind::null)) return "holds null, which no argument is";
  for (const Node& item : value.items) {
    if (const auto mistake = mistake_in(item); !mistake.empty()) return mistake;
  }
  for (const Member& member : value.members) {
    if (!is_name_of_argument(member.key)) return "holds a name that has not 1 to 255 bytes";
    if (const auto mistake = mistake_in(member.value); !mistake.empty()) return mistake;
  }
  return {};
}

RabbitMqValue value_of(const Node& node) {
  switch (node.kind) {
    case Node::Kind::boolean:
      return {node.boolean};
    case Node::Kind::integer:
      return {node.integer};
    case Node::Kind::number:
      return {node.number};
    case Node::Kind::array: {
      RabbitMqList list;
      for (const Node& item : node.items) list.push_back(value_of(item));
      return {std::move(list)};
    }
    case Node::Kind::object: {
      RabbitMqTable table;
      for (const Member& member : node.members) table.push_back({member.key, value_of(member.value)});
      return {std::move(table)};
    }
    default:
      return {node.string};
  }
}

std::optional<RabbitMqValue> read_argument(ConfigSection& arguments, const std::string& name) {
  const Node* const node = SectionReader::of(arguments).look_up(name);
  if (node == nullptr) return std::nullopt;  // null
  const auto value = [](auto read) { return read ? std::optional(RabbitMqValue{std::move(*read)}) : std::nullopt; };
  const std::string_view type = argument_type(name);
  if (type == "integer") return value(arguments.integer(name));
  if (type == "boolean") return value(arguments.boolean(name));
  if (is_empty_string(arguments, name)) return RabbitMqValue{std::string()};  // the default exchange
  if (type == "string" || node->is(Node::Kind::string)) return value(arguments.string(name));
  if (const std::string_view mistake = mistake_in(*node); !mistake.empty()) {
    arguments.problem(name, "The argument '" + name + "' " + std::string(mistake) + ".");
    return std::nullopt;
  }
  return value_of(*node);
}

/// About so many bytes are sent for it.
std::size_t bytes_of(const RabbitMqValue& value) {
  constexpr std::size_t around_value = 13;  // the lengths of name and value, and the value's type; or a number
  std::size_t bytes = around_value;
  if (const auto* text = std::get_if<std::string>(&value.value)) bytes += text->size();
  if (const auto* list = std::get_if<RabbitMqList>(&value.value)) {
    for (const RabbitMqValue& item : *list) bytes += bytes_of(item);
  }
  if (const auto* table = std::get_if<RabbitMqTable>(&value.value)) {
    for (const auto& [name, item] : *table) bytes += name.size() + bytes_of(item);
  }
  return bytes;
}

/// `queue_type`: what x-queue-type must not differ from, if it is not empty.
RabbitMqTable read_arguments(ConfigSection& from, const std::string& queue_type = {}) {
  RabbitMqTable table;
  ConfigSection arguments = from.object("arguments");
  std::size_t bytes = 1'024;  // of the names and the rest of the method
  for (const std::string& name : arguments.keys()) {
    if (!is_name_of_argument(name)) {
      arguments.problem(name, "The name of an argument has 1 to 255 bytes.");
    } else if (auto value = read_argument(arguments, name)) {
      if (name == "x-queue-type" && !queue_type.empty() && !(*value == RabbitMqValue{queue_type})) {
        arguments.problem(name, "The argument 'x-queue-type' differs from 'type'; give one of them.");
      }
      bytes += name.size() + bytes_of(*value);
      table.push_back({name, std::move(*value)});
    }
  }
  if (bytes > amqp_frame_max) {
    from.problem("arguments", "The field 'arguments' has about " + std::to_string(bytes) +
                                  " bytes; it must fit one frame of " + std::to_string(amqp_frame_max) + ".");
  }
  return table;
}

// Queues

/// The type, as `type` or the argument x-queue-type has it.
std::string type_of(const RabbitMqQueueDeclaration& declare) {
  for (const auto& [name, value] : declare.arguments) {
    if (name == "x-queue-type") return std::get<std::string>(value.value);
  }
  return declare.queue_type;
}

RabbitMqQueueDeclaration read_queue(ConfigSection& queue) {
  RabbitMqQueueDeclaration declare;
  declare.durable = queue.boolean("durable").value_or(true);
  declare.auto_delete = queue.boolean("auto_delete").value_or(false);
  declare.queue_type = read_choice(queue, "type", {"classic", "quorum", "stream"}).value_or("");
  if (queue.boolean("exclusive").value_or(false)) {
    queue.problem("exclusive",
                  "Only the connection that declares an exclusive queue can read it, and this one only publishes.",
                  "For a queue that goes away by itself there are 'auto_delete' and the argument 'x-expires'.");
  }
  declare.arguments = read_arguments(queue, declare.queue_type);
  for (const std::string& key : queue.keys()) {
    if (key.starts_with("x-") && queue.has(key)) {
      queue.problem(key, "The field '" + key + "' stands in 'arguments'.");
    }
  }
  const std::string type = type_of(declare);
  if (type != "quorum" && type != "stream") return declare;
  if (!declare.durable) queue.problem("durable", "A " + type + " queue is always durable.");
  if (declare.auto_delete) queue.problem("auto_delete", "A " + type + " queue cannot be 'auto_delete'.");
  return declare;
}

// Exchanges

RabbitMqBinding read_binding(ConfigSection& from, const ParsedRabbitMqConfig& config) {
  RabbitMqBinding binding;
  if (auto key = from.text()) {
    binding.routing_key = std::move(*key);
  } else {
    if (!is_empty_string(from, "routing_key")) {
      binding.routing_key = read_short(from, "routing_key").value_or(config.routing_key);
    }
    binding.arguments = read_arguments(from);
  }
  if (binding.routing_key.size() > amqp_short_string_limit) {
    from.problem("", "A routing key has at most 255 bytes, not " + std::to_string(binding.routing_key.size()) + ".");
  }
  return binding;
}

RabbitMqBoundQueue read_bound_queue(ConfigSection& from, const ParsedRabbitMqConfig& config) {
  RabbitMqBoundQueue bound;
  if (auto name = from.text()) {
    bound.queue = std::move(*name);
    if (bound.queue.size() > amqp_short_string_limit) {
      from.problem("", "A queue's name has at most 255 bytes, not " + std::to_string(bound.queue.size()) + ".");
    }
  } else {
    if (!from.has("queue")) from.problem("queue", "The field 'queue' must be provided.");
    bound.queue = read_short(from, "queue").value_or("");
    bound.declare = read_queue(from);
    for (ConfigSection& binding : from.items("bind")) bound.bindings.push_back(read_binding(binding, config));
    if (from.has("bind")) return bound;
  }
  bound.bindings.push_back({.routing_key = config.routing_key});
  return bound;
}

void read_exchange_type(ConfigSection& from, std::string& type) {
  auto given = read_short(from, "type");
  if (!given) return;
  const std::array<std::string_view, 4> standard{"direct", "fanout", "topic", "headers"};
  // Any other one would end the connection, if no plugin brings it.
  if (std::find(standard.begin(), standard.end(), *given) == standard.end() && !given->starts_with("x-")) {
    from.problem("type",
                 "The field 'type' must be one of 'direct', 'fanout', 'topic', 'headers', or one that begins "
                 "with 'x-', which a plugin of the broker brings.");
  } else {
    type = std::move(*given);
  }
}

RabbitMqExchangeDeclaration read_exchange(ConfigSection& from, const ParsedRabbitMqConfig& config) {
  RabbitMqExchangeDeclaration declare;
  read_exchange_type(from, declare.type);
  declare.durable = from.boolean("durable").value_or(true);
  declare.auto_delete = from.boolean("auto_delete").value_or(false);
  if (from.boolean("internal").value_or(false)) {
    from.problem("internal", "Nobody can publish to an internal exchange.");
  }
  declare.arguments = read_arguments(from);
  for (const char* of_queue : {"bind", "queue", "exclusive"}) {
    if (!has_misplaced(from, of_queue)) continue;
    from.problem(of_queue, "The field '" + std::string(of_queue) + "' stands in an element of 'queues'.");
  }
  for (ConfigSection& queue : from.items("queues")) declare.queues.push_back(read_bound_queue(queue, config));
  return declare;
}

}  // namespace

std::vector<FieldInfo> declare_fields() {
  std::vector<FieldInfo> fields;
  const auto add = [&](const std::string& key, const char* type, const char* description, const char* values = "") {
    fields.push_back({in_params, "declare." + key, {}, type, {}, description, false, values});
  };
  const auto add_queue = [&](const std::string& of) {
    add(of + "durable", "bool", "It survives a restart of the broker; so it is without this key.");
    add(of + "auto_delete", "bool",
        "The broker deletes a queue when its last consumer has left, an exchange when its last binding is gone.");
    add(of + "exclusive", "bool", "Of a queue; only false is possible.");
    add(of + "arguments", "dict",
        "x-arguments. Integers, fractions, strings, booleans, lists and objects keep their type: AMQP's long, double, "
        "string, boolean, array and table.");
  };
  add("type", "str",
      "Of a queue `classic`, `quorum` or `stream`; of an exchange `direct`, `fanout`, `topic`, `headers`, or a "
      "plugin's (`x-…`). Without it the virtual host's, or direct.");
  add_queue("");
  add("internal", "bool", "Of an exchange; only false is possible.");
  add("queues", "list of str and dict",
      "Of an exchange: the queues that are bound to it. Names, or objects with the keys below.", "may be empty");
  add("queues.queue", "str", "The queue's name.");
  fields.back().required = true;
  add("queues.type", "str", "", "`classic`, `quorum` or `stream`");
  add_queue("queues.");
  add("queues.bind", "list of str and dict",
      "What the queue is bound by: routing keys, or objects with the keys below. Without it, by the destination's "
      "`routing_key`.",
      "may be empty");
  add("queues.bind.routing_key", "str", "", "may be empty");
  add("queues.bind.arguments", "dict", "Of a headers exchange.");
  return fields;
}

void read_declare(ConfigSection& from, std::string_view key, ParsedRabbitMqConfig& config) {
  const bool with_exchange = from.has("exchange") && !from.has("queue");
  if (is_flag(from, key)) {
    if (!from.boolean(key).value_or(false)) return;
    if (with_exchange) {
      config.declare_exchange = RabbitMqExchangeDeclaration();
    } else {
      config.declare = RabbitMqQueueDeclaration();
    }
    return;
  }
  if (const Node* value = SectionReader::of(from).find(key); !value->is(Node::Kind::object)) {
    SectionReader::of(from).wrong_type(key, "true, false or an object");
    return;
  }
  ConfigSection object = from.object(key);
  if (with_exchange) {
    config.declare_exchange = read_exchange(object, config);
    return;
  }
  for (const char* of_exchange : {"queues", "bind", "exchange"}) {
    if (!has_misplaced(object, of_exchange)) continue;
    object.problem(of_exchange,
                   "The field '" + std::string(of_exchange) +
                       "' does not go with params.queue, which is reached through the default exchange.",
                   "An exchange is declared, and queues are bound to it, where params.exchange names it.");
  }
  config.declare = read_queue(object);
}

}  // namespace action_triggers::detail
