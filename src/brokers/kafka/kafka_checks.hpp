// SPDX-License-Identifier: MIT
/// What a Kafka section must satisfy beyond each field of its own. Needs no librdkafka, but asks it where it is linked.
#pragma once

#include "action_triggers/config_section.hpp"
#include "brokers/kafka/kafka_fields.hpp"

namespace action_triggers::detail {

/// Records as problems: files that cannot be read, values that librdkafka does not accept, and, when the loader has
/// read the common keys too, what does not go together. No text quotes what came from a substitution.
void check_kafka(ConfigSection& conn, const ParsedKafkaConfig& config);

}  // namespace action_triggers::detail
