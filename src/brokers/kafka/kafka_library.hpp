// SPDX-License-Identifier: MIT
/// What the parser of configurations asks the librdkafka that is linked. This header needs none, and the functions
/// exist only in builds with Kafka (ACTION_TRIGGERS_WITH_KAFKA).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "action_triggers/kafka.hpp"

namespace action_triggers::detail {

/// Properties of `config` that librdkafka does not accept, each with its reason, which may quote the value; secrets
/// have none.
std::vector<std::pair<std::string, std::string>> wrong_properties(const KafkaConfig& config);

/// Why librdkafka would make no client of `config`: properties that do not go together, files that do not hold what
/// they should. Empty if it would. Makes a client, of two threads, that knows no server, and destroys it. The reason
/// may quote values.
std::string why_no_client(const KafkaConfig& config);

/// Why this librdkafka cannot log in to Apache Kafka 4 with SCRAM; empty if it can. Before 2.6.1 it repeats its nonce,
/// which older brokers let pass (confluentinc/librdkafka#4895).
std::string why_scram_fails();

}  // namespace action_triggers::detail
