// SPDX-License-Identifier: MIT
/// What the in-memory backend brings to the registry.
#pragma once

#include <memory>
#include <vector>

#include "action_triggers/broker_type.hpp"

namespace action_triggers::detail {

BrokerType memory_type();

std::unique_ptr<BrokerConfig> parse_memory(BrokerSection& section);
std::vector<const FieldInfo*> memory_fields();
std::unique_ptr<Broker> make_memory(const BrokerConfig& config);

}  // namespace action_triggers::detail
