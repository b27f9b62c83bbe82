// SPDX-License-Identifier: MIT
#include "action_triggers/broker_config.hpp"

namespace action_triggers {

BrokerConfig::~BrokerConfig() = default;

}  // namespace action_triggers
