// SPDX-License-Identifier: MIT
/// What the Kafka backend brings to the registry.
#pragma once

#include <memory>
#include <vector>

#include "action_triggers/broker_type.hpp"

namespace action_triggers::detail {

BrokerType kafka_type();

std::unique_ptr<BrokerConfig> parse_kafka(BrokerSection& section);
std::vector<const FieldInfo*> kafka_fields();
std::unique_ptr<Broker> make_kafka(const BrokerConfig& config);
PingReport ping_kafka(const BrokerConfig& config, const PingOptions& options);

}  // namespace action_triggers::detail
