// SPDX-License-Identifier: MIT
#include "dispatch/lane_key.hpp"

#include "core/cloudevents_of.hpp"

namespace action_triggers::detail {

std::string lane_key(const BrokerConfig& config) {
  const std::string own = "=" + config.name;
  const bool is_wrapped = cloudevents_of(config) != nullptr;  // by the lane's broker
  return config.broker_type + '\n' + (config.connection_key.empty() ? own : ":" + config.connection_key) +
         (is_wrapped ? "\ncloudevents" : "");
}

}  // namespace action_triggers::detail
