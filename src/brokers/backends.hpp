/// What each backend brings to the registry; builtin.cpp lists them.
#pragma once

#include <memory>

#include "action_triggers/broker_registry.hpp"

namespace action_triggers::detail {

std::unique_ptr<BrokerConfig> parse_kafka(BrokerSection& section);
std::unique_ptr<Broker> make_kafka(const BrokerConfig& config);
PingReport ping_kafka(const BrokerConfig& config, const PingOptions& options);

std::unique_ptr<BrokerConfig> parse_rabbitmq(BrokerSection& section);
std::unique_ptr<Broker> make_rabbitmq(const BrokerConfig& config);
PingReport ping_rabbitmq(const BrokerConfig& config, const PingOptions& options);

std::unique_ptr<BrokerConfig> parse_memory(BrokerSection& section);
std::unique_ptr<Broker> make_memory(const BrokerConfig& config);

}  // namespace action_triggers::detail
