// SPDX-License-Identifier: MIT
/// What an OutboundMessage knows of the destination that it goes to.
#pragma once

#include <cstddef>

#include "action_triggers/broker_config.hpp"

namespace action_triggers::detail {

struct DestinationRef {
  const BrokerConfig* broker_config = nullptr;
  std::size_t index = 0;  // its number in the broker
};

}  // namespace action_triggers::detail
