// SPDX-License-Identifier: MIT
#include "dispatch/lane_key.hpp"

#include "action_triggers/cloudevents.hpp"

namespace action_triggers::detail {

std::string lane_key(const BrokerConfig& config) {
  const std::string own = "=" + config.name;
  const auto* const support = dynamic_cast<const CloudEventsSupport*>(&config);
  const bool is_wrapped = support != nullptr && support->cloudevents != nullptr;  // by the lane's broker
  return config.broker_type + '\n' + (config.connection_key.empty() ? own : ":" + config.connection_key) +
         (is_wrapped ? "\ncloudevents" : "");
}

}  // namespace action_triggers::detail
