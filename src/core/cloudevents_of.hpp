// SPDX-License-Identifier: MIT
/// Whether a destination sends CloudEvents.
#pragma once

#include "action_triggers/broker_config.hpp"
#include "action_triggers/cloudevents.hpp"

namespace action_triggers::detail {

/// The attributes of a destination that sends CloudEvents; nullptr: it sends messages as they are. The configuration's.
inline const CloudEventsConfig* cloudevents_of(const BrokerConfig& config) {
  const auto* const support = dynamic_cast<const CloudEventsSupport*>(&config);
  return support == nullptr ? nullptr : support->cloudevents.get();
}

}  // namespace action_triggers::detail
