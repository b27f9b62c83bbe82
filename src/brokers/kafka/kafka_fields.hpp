// SPDX-License-Identifier: MIT
/// The fields of a Kafka section, as docs/configuration.md lists them. Needs no librdkafka.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/kafka.hpp"
#include "config/field_table.hpp"

namespace action_triggers::detail {

/// A KafkaConfig while its section is read, with what only the checks after reading need.
struct ParsedKafkaConfig : KafkaConfig {
  struct Server {
    std::string host;
    std::string text;  // for error texts: as the file has it, host or host:port; *** if it was substituted
  };
  std::vector<Server> servers;         // those of bootstrap_servers
  bool idempotence_asked_for = false;  // the file itself says enable_idempotence: true

  /// By property, secret or not: the key of conn_details that gave it.
  std::map<std::string, std::string> keys;
};

const FieldTable<ParsedKafkaConfig>& kafka_field_table();

/// Reads sasl_mechanism, or librdkafka's name for it.
void read_sasl_mechanism(ConfigSection& from, std::string_view key, ParsedKafkaConfig& config);

/// Reads acks, or librdkafka's name for it, and warns of values that confirm nothing.
void read_kafka_acks(ConfigSection& from, std::string_view key, ParsedKafkaConfig& config);

}  // namespace action_triggers::detail
