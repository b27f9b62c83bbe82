// SPDX-License-Identifier: MIT
/// What the RabbitMQ backend brings to the registry.
#pragma once

#include <memory>
#include <vector>

#include "action_triggers/broker_type.hpp"

namespace action_triggers::detail {

BrokerType rabbitmq_type();

std::unique_ptr<BrokerConfig> parse_rabbitmq(BrokerSection& section);
std::vector<const FieldInfo*> rabbitmq_fields();
std::unique_ptr<Broker> make_rabbitmq(const BrokerConfig& config);
PingReport ping_rabbitmq(const BrokerConfig& config, const PingOptions& options);

}  // namespace action_triggers::detail
