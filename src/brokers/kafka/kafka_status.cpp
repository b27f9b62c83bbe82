// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_status.hpp"

#include "brokers/kafka/kafka_errors.hpp"
#include "brokers/kafka/kafka_library.hpp"

namespace action_triggers::detail {
namespace {

/// librdkafka calls it a failed login, too, when the connection is lost during one. A broker before 1.0 refuses a login
/// in that way; to such a one librdkafka speaks without frames of the protocol, in a state of its own.
bool was_only_cut(rd_kafka_resp_err_t error, const std::string& said) {
  if (error != RD_KAFKA_RESP_ERR__AUTHENTICATION || said.find("AUTH_LEGACY") != std::string::npos) return false;
  for (const char* const cause : {rd_kafka_err2str(RD_KAFKA_RESP_ERR__TRANSPORT), "Disconnected",
                                  rd_kafka_err2str(RD_KAFKA_RESP_ERR__TIMED_OUT), "Receive failed", "Send failed"}) {
    if (said.find(cause) != std::string::npos) return true;
  }
  return false;
}

/// What the user can do about a failure that librdkafka describes as `said`; empty if there is nothing to say.
std::string advice_for(const KafkaErrorInfo& info, const std::string& said) {
  std::string advice;
  if (!info.advice.empty()) advice = "; " + std::string(info.advice);
  if (info.status == StatusCode::unauthenticated && said.find("SCRAM") != std::string::npos) {
    if (const std::string scram = why_scram_fails(); !scram.empty()) advice += "; " + scram;
  }
  return advice;
}

}  // namespace

Status kafka_status(rd_kafka_resp_err_t error, const std::string& text, const std::string& topic) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  const std::string said = text.empty() ? rd_kafka_err2str(error) : text;
  if (was_only_cut(error, said)) return {StatusCode::unavailable, said};
  const KafkaErrorInfo& info = kafka_error_info(error);
  // A login concerns the connection, not a topic.
  const bool names_topic = !topic.empty() && info.status != StatusCode::unauthenticated;
  return {info.status, (names_topic ? "topic '" + topic + "': " : std::string()) + said + advice_for(info, said)};
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
  const bool was_not_sent = rd_kafka_message_status(&report) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED &&
                            !kafka_error_info(report.err).may_have_arrived;
  return Outcome::failed(kafka_status(report.err, {}, topic),
                         was_not_sent ? Persistence::not_persisted : Persistence::possibly_persisted);
}

LogLevel kafka_log_level(int syslog_level) noexcept {
  if (syslog_level <= 3) return LogLevel::error;
  if (syslog_level <= 4) return LogLevel::warning;
  return syslog_level <= 6 ? LogLevel::info : LogLevel::debug;
}

}  // namespace action_triggers::detail
