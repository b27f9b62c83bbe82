// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_status.hpp"

#include "brokers/kafka/kafka_library.hpp"

namespace action_triggers::detail {
namespace {

StatusCode status_code_of(rd_kafka_resp_err_t error) noexcept {
  switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return StatusCode::ok;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return StatusCode::not_found;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
      return StatusCode::unauthenticated;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return StatusCode::permission_denied;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return StatusCode::too_large;
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return StatusCode::rejected;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
      return StatusCode::invalid_argument;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE:
      return StatusCode::internal;
    default:  // time-outs, lost connections, purges, moved leaders: the next try may go through
      return StatusCode::unavailable;
  }
}

/// What the user can do about a failure that librdkafka describes as `said`; empty if there is nothing to say.
std::string advice_for(StatusCode code, const std::string& said) {
  switch (code) {
    case StatusCode::not_found:
      return "; create the topic on the cluster";
    case StatusCode::unauthenticated: {
      const std::string check = "; check sasl_mechanism, sasl_plain_username and sasl_plain_password";
      const std::string scram = said.find("SCRAM") == std::string::npos ? std::string() : why_scram_fails();
      return scram.empty() ? check : check + "; " + scram;
    }
    case StatusCode::permission_denied:
      return "; grant the principal WRITE on the topic (and IDEMPOTENT_WRITE)";
    case StatusCode::too_large:
      return "; the limits are conn_details.max_request_size here and the topic's max.message.bytes there";
    default:
      return {};
  }
}

}  // namespace

Status kafka_status(rd_kafka_resp_err_t error, const std::string& text, const std::string& topic) {
  const StatusCode code = status_code_of(error);
  if (code == StatusCode::ok) return {};
  const std::string said = text.empty() ? rd_kafka_err2str(error) : text;
  // A login concerns the connection, not a topic.
  const bool names_topic = !topic.empty() && code != StatusCode::unauthenticated;
  return {code, (names_topic ? "topic '" + topic + "': " : std::string()) + said + advice_for(code, said)};
}

bool is_only_inferred(const rd_kafka_message_t& report) noexcept {
  return report.err == RD_KAFKA_RESP_ERR_NO_ERROR && report.offset < 0;
}

Outcome kafka_outcome(const rd_kafka_message_t& report, const std::string& topic) {
  if (is_only_inferred(report)) {
    return Outcome::failed({StatusCode::unavailable,
                            "the client concluded that the message was written, but the broker "
                            "did not confirm it"},
                           Persistence::possibly_persisted);
  }
  if (report.err == RD_KAFKA_RESP_ERR_NO_ERROR) return Outcome::persisted(report.partition, report.offset);
  const bool was_not_sent = rd_kafka_message_status(&report) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
  return Outcome::failed(kafka_status(report.err, {}, topic),
                         was_not_sent ? Persistence::not_persisted : Persistence::possibly_persisted);
}

LogLevel kafka_log_level(int syslog_level) noexcept {
  if (syslog_level <= 3) return LogLevel::error;
  if (syslog_level <= 4) return LogLevel::warning;
  return syslog_level <= 6 ? LogLevel::info : LogLevel::debug;
}

}  // namespace action_triggers::detail
