// SPDX-License-Identifier: MIT
/// What params.declare asks of the broker.
#pragma once

#include <functional>
#include <string_view>

#include "action_triggers/rabbitmq.hpp"
#include "brokers/rabbitmq/amqp.hpp"

namespace action_triggers::detail {

/// A method and its content, which is valid during the call. The answer that says yes has the next number.
using MethodSink = std::function<void(amqp_method_number_t method, void* decoded)>;

[[nodiscard]] bool declares(const RabbitMqConfig& config) noexcept;

void declare_exchange(const std::string& exchange, const RabbitMqExchangeDeclaration& wanted, const MethodSink& sink);
void declare_queue(const std::string& queue, const RabbitMqQueueDeclaration& wanted, const MethodSink& sink);
/// The queue to the exchange, by all of its bindings.
void bind_queue(const std::string& exchange, const RabbitMqBoundQueue& queue, const MethodSink& sink);
/// All that the configuration declares, in the order in which the broker has to be asked for it.
void declare_all(const RabbitMqConfig& config, const MethodSink& sink);

/// Whether a queue that the configuration declares gets what is published with this routing key, as far as its
/// exchange is direct, fanout or topic: if such a message comes back, the queue or its binding is gone.
[[nodiscard]] bool reaches_declared_queue(const RabbitMqConfig& config, std::string_view routing_key);

/// AMQP 0-9-1, 3.1.3.3: words between dots; `*` is one word, `#` any number of them.
[[nodiscard]] bool topic_matches(std::string_view pattern, std::string_view routing_key);

}  // namespace action_triggers::detail
