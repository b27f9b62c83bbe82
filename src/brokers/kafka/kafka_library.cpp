// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_library.hpp"

#include <array>
#include <memory>

#include "brokers/kafka/kafka_client.hpp"

namespace action_triggers::detail {

std::vector<std::pair<std::string, std::string>> wrong_properties(const KafkaConfig& config) {
  std::vector<std::pair<std::string, std::string>> wrong;
  const KafkaConf conf(rd_kafka_conf_new());
  for (const auto& [property, value] : config.properties) {
    if (const std::string reason = set_kafka_property(conf.get(), property, value); !reason.empty()) {
      wrong.emplace_back(property, reason);
    }
  }
  for (const auto& [property, value] : config.secret_properties) {
    if (!set_kafka_property(conf.get(), property, value.reveal()).empty()) {
      wrong.emplace_back(property, std::string());
    }
  }
  return wrong;
}

std::string why_no_client(const KafkaConfig& config) {
  KafkaConfig alone = config;
  alone.bootstrap_servers.clear();
  std::array<char, 8192> reason{};  // it may hold a path, which is not to be cut
  KafkaConf conf = make_kafka_conf(alone);
  const std::unique_ptr<rd_kafka_t, KafkaDeleter<rd_kafka_destroy>> client(
      rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason.data(), reason.size()));
  if (client) {
    static_cast<void>(conf.release());
    return {};
  }
  // Anything else, such as a thread that cannot start now, is not the configuration's fault.
  return rd_kafka_last_error() == RD_KAFKA_RESP_ERR__INVALID_ARG ? reason.data() : std::string();
}

std::string why_scram_fails() {
  if (rd_kafka_version() >= 0x020601ff) return {};
  return std::string("librdkafka ") + rd_kafka_version_str() +
         " cannot log in to Apache Kafka 4 with SCRAM; use librdkafka 2.6.1 or newer, or PLAIN over TLS";
}

}  // namespace action_triggers::detail
