// SPDX-License-Identifier: MIT
/// Which destinations share a lane.
#pragma once

#include <string>

#include "action_triggers/broker_config.hpp"

namespace action_triggers::detail {

/// Destinations share a lane if their type and connection are equal, and none or all of them send CloudEvents.
std::string lane_key(const BrokerConfig& config);

}  // namespace action_triggers::detail
