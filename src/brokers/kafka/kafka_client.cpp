#include "brokers/kafka/kafka_client.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <stdexcept>

#include "brokers/kafka/kafka_properties.hpp"

namespace action_triggers::detail {
namespace {

std::string set_property(rd_kafka_conf_t* conf, const std::string& property, const std::string& value) {
  std::array<char, 512> reason{};
  if (rd_kafka_conf_set(conf, property.c_str(), value.c_str(), reason.data(), reason.size()) == RD_KAFKA_CONF_OK)
    return {};
  return reason.data();
}

std::string milliseconds_of(std::chrono::milliseconds pause) {
  constexpr std::chrono::milliseconds most = std::chrono::hours(1);  // librdkafka's CONFIGURATION.md
  return std::to_string(std::min(pause, most).count());
}

}  // namespace

KafkaConf make_kafka_conf(const KafkaConfig& config) {
  KafkaConf conf(rd_kafka_conf_new());
  const auto set = [&](const std::string& property, const std::string& value, bool is_secret) {
    const std::string reason = set_property(conf.get(), property, value);
    if (!reason.empty()) {
      throw std::runtime_error("librdkafka does not accept " + property + (is_secret ? "" : ": " + reason));
    }
  };
  // The client connects by itself, and pauses in between as a lane would. Properties of these names go before.
  set("reconnect.backoff.ms", milliseconds_of(config.retry.initial_backoff), false);
  set("reconnect.backoff.max.ms", milliseconds_of(config.retry.max_backoff), false);
  for (const auto& [property, value] : config.properties) set(property, value, false);
  for (const auto& [property, value] : config.secret_properties) set(property, value.reveal(), true);
  set("bootstrap.servers", config.bootstrap_servers, false);
  set("log.queue", "true", false);  // otherwise it logs from its own threads, to stderr
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
  return conf;
}

std::vector<std::pair<std::string, std::string>> wrong_properties(const KafkaConfig& config) {
  std::vector<std::pair<std::string, std::string>> wrong;
  const KafkaConf conf(rd_kafka_conf_new());
  for (const auto& [property, value] : config.properties) {
    if (const std::string reason = set_property(conf.get(), property, value); !reason.empty()) {
      wrong.emplace_back(property, "librdkafka does not accept '" + property + "': " + reason + ".");
    }
  }
  for (const auto& [property, value] : config.secret_properties) {
    if (!set_property(conf.get(), property, value.reveal()).empty()) {
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

Status kafka_status(rd_kafka_resp_err_t error, const std::string& text, const std::string& topic) {
  const std::string said = text.empty() ? rd_kafka_err2str(error) : text;
  const std::string where = topic.empty() ? std::string() : "topic '" + topic + "': ";
  switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return {};
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return {StatusCode::not_found, where + said + "; create the topic on the cluster"};
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      return {StatusCode::invalid_argument, where + said};
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
      return {StatusCode::unauthenticated,
              said + "; check sasl_mechanism, sasl_plain_username and sasl_plain_password" +
                  (said.find("SCRAM") == std::string::npos || why_scram_fails().empty() ? std::string()
                                                                                        : "; " + why_scram_fails())};
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return {StatusCode::permission_denied,
              where + said + "; grant the principal WRITE on the topic (and IDEMPOTENT_WRITE)"};
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return {
          StatusCode::too_large,
          where + said + "; the limits are conn_details.max_request_size here and the topic's max.message.bytes there"};
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return {StatusCode::rejected, where + said};
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
      return {StatusCode::invalid_argument, where + said};
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE:
      return {StatusCode::internal, where + said};
    default:  // time-outs, lost connections, purges, moved leaders: the next try may go through
      return {StatusCode::unavailable, where + said};
  }
}

LogLevel kafka_log_level(int syslog_level) noexcept {
  if (syslog_level <= 3) return LogLevel::error;
  if (syslog_level <= 4) return LogLevel::warning;
  return syslog_level <= 6 ? LogLevel::info : LogLevel::debug;
}

}  // namespace action_triggers::detail
