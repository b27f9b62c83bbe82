// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_library.hpp"

#include "brokers/kafka/kafka_client.hpp"

namespace action_triggers::detail {

std::vector<std::pair<std::string, std::string>> wrong_properties(const KafkaConfig& config) {
  std::vector<std::pair<std::string, std::string>> wrong;
  const KafkaConf conf(rd_kafka_conf_new());
  for (const auto& [property, value] : config.properties) {
    if (const std::string reason = set_kafka_property(conf.get(), property, value); !reason.empty()) {
      wrong.emplace_back(property, "librdkafka does not accept '" + property + "': " + reason + ".");
    }
  }
  for (const auto& [property, value] : config.secret_properties) {
    if (!set_kafka_property(conf.get(), property, value.reveal()).empty()) {
      wrong.emplace_back(property, "librdkafka does not accept '" + property + "'.");
    }
  }
  return wrong;
}

std::string why_scram_fails() {
  if (rd_kafka_version() >= 0x020601ff) return {};
  return std::string("librdkafka ") + rd_kafka_version_str() +
         " cannot log in to Apache Kafka 4 with SCRAM; use librdkafka 2.6.1 or newer, or PLAIN over TLS";
}

}  // namespace action_triggers::detail
