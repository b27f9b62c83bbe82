// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/declare_methods.hpp"

#include <algorithm>
#include <optional>

#include "brokers/rabbitmq/amqp_table.hpp"

namespace action_triggers::detail {
namespace {

/// Words that are still to come; nothing when all have been taken. An empty key has no words.
using Words = std::optional<std::string_view>;

Words words_of(std::string_view key) { return key.empty() ? Words() : Words(key); }

std::string_view first(std::string_view words) { return words.substr(0, words.find('.')); }

Words rest(std::string_view words) {
  const std::size_t dot = words.find('.');
  return dot == std::string_view::npos ? Words() : Words(words.substr(dot + 1));
}

bool words_match(Words pattern, Words key) {
  while (pattern) {
    const std::string_view word = first(*pattern);
    if (word == "#") {
      const Words after = rest(*pattern);
      for (Words left = key;; left = rest(*left)) {
        if (words_match(after, left)) return true;
        if (!left) return false;
      }
    }
    if (!key || (word != "*" && word != first(*key))) return false;
    pattern = rest(*pattern);
    key = rest(*key);
  }
  return !key;
}

bool takes(const RabbitMqExchangeDeclaration& exchange, const RabbitMqBinding& binding, std::string_view routing_key) {
  if (exchange.type == "fanout") return true;
  if (exchange.type == "direct") return binding.routing_key == routing_key;
  return exchange.type == "topic" && topic_matches(binding.routing_key, routing_key);
}

}  // namespace

bool declares(const RabbitMqConfig& config) noexcept {
  return config.declare.has_value() || config.declare_exchange.has_value();
}

void declare_exchange(const std::string& exchange, const RabbitMqExchangeDeclaration& wanted, const MethodSink& sink) {
  AmqpTable arguments(wanted.arguments);
  amqp_exchange_declare_t declare{};
  declare.exchange = to_amqp(exchange);
  declare.type = to_amqp(wanted.type);
  declare.durable = wanted.durable ? 1 : 0;
  declare.auto_delete = wanted.auto_delete ? 1 : 0;
  declare.arguments = arguments.get();
  sink(AMQP_EXCHANGE_DECLARE_METHOD, &declare);
}

void declare_queue(const std::string& queue, const RabbitMqQueueDeclaration& wanted, const MethodSink& sink) {
  AmqpTable arguments(wanted.arguments);
  const bool has_type = std::any_of(wanted.arguments.begin(), wanted.arguments.end(),
                                    [](const auto& argument) { return argument.name == "x-queue-type"; });
  if (!wanted.queue_type.empty() && !has_type) arguments.add_text("x-queue-type", wanted.queue_type);
  amqp_queue_declare_t declare{};
  declare.queue = to_amqp(queue);
  declare.durable = wanted.durable ? 1 : 0;
  declare.auto_delete = wanted.auto_delete ? 1 : 0;
  declare.arguments = arguments.get();
  sink(AMQP_QUEUE_DECLARE_METHOD, &declare);
}

void bind_queue(const std::string& exchange, const RabbitMqBoundQueue& queue, const MethodSink& sink) {
  for (const RabbitMqBinding& binding : queue.bindings) {
    AmqpTable arguments(binding.arguments);
    amqp_queue_bind_t bind{};
    bind.queue = to_amqp(queue.queue);
    bind.exchange = to_amqp(exchange);
    bind.routing_key = to_amqp(binding.routing_key);
    bind.arguments = arguments.get();
    sink(AMQP_QUEUE_BIND_METHOD, &bind);
  }
}

void declare_all(const RabbitMqConfig& config, const MethodSink& sink) {
  if (config.declare) declare_queue(config.queue, *config.declare, sink);
  if (!config.declare_exchange) return;
  declare_exchange(config.exchange, *config.declare_exchange, sink);
  for (const RabbitMqBoundQueue& queue : config.declare_exchange->queues) {
    declare_queue(queue.queue, queue.declare, sink);
    bind_queue(config.exchange, queue, sink);
  }
}

bool reaches_declared_queue(const RabbitMqConfig& config, std::string_view routing_key) {
  if (config.declare) return config.exchange.empty() && routing_key == config.queue;
  if (!config.declare_exchange) return false;
  const RabbitMqExchangeDeclaration& exchange = *config.declare_exchange;
  return std::any_of(exchange.queues.begin(), exchange.queues.end(), [&](const RabbitMqBoundQueue& queue) {
    return std::any_of(queue.bindings.begin(), queue.bindings.end(),
                       [&](const RabbitMqBinding& binding) { return takes(exchange, binding, routing_key); });
  });
}

bool topic_matches(std::string_view pattern, std::string_view routing_key) {
  return words_match(words_of(pattern), words_of(routing_key));
}

}  // namespace action_triggers::detail
