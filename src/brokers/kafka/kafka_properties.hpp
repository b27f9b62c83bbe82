#pragma once

#include <string>
#include <utility>
#include <vector>

#include "action_triggers/kafka.hpp"

namespace action_triggers::detail {

/// What librdkafka does not accept, with its reason; values of secrets are left out. In builds with Kafka only.
std::vector<std::pair<std::string, std::string>> wrong_properties(const KafkaConfig& config);

}  // namespace action_triggers::detail
