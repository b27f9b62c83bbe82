// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_errors.hpp"

#include <algorithm>
#include <array>

// The broker's errors: org.apache.kafka.common.protocol.Errors, and which of its exceptions are a RetriableException.
// The client's: rdkafka.h, and rd_kafka_handle_Produce_error() of librdkafka for what it does before it reports one.

namespace action_triggers::detail {
namespace {

using enum StatusCode;
constexpr auto message = KafkaErrorScope::message;
constexpr auto batch = KafkaErrorScope::batch;
constexpr auto topic = KafkaErrorScope::topic;
constexpr bool maybe = true;
constexpr bool no = false;

constexpr std::string_view create_topic = "create the topic on the cluster, or look for a typing error";
constexpr std::string_view credentials = "check sasl_mechanism, sasl_plain_username and sasl_plain_password";
constexpr std::string_view size_limits =
    "the limits are conn_details.max_request_size here and the topic's max.message.bytes there; several messages that "
    "share a batch (conn_details 'batch.size') count as one";
constexpr std::string_view broker_log = "the broker's log has the reason";
constexpr std::string_view too_old = "the broker is too old for what conn_details asks of it";
constexpr std::string_view replicas = "the topic has fewer replicas in sync than its min.insync.replicas";

// librdkafka 2.4 and newer: _INVALID_DIFFERENT_RECORD, of the messages that only shared a batch with an invalid one.
constexpr auto invalid_different_record = static_cast<rd_kafka_resp_err_t>(-138);

std::string name_of(rd_kafka_resp_err_t error) {
  return error == invalid_different_record ? "_INVALID_DIFFERENT_RECORD" : rd_kafka_err2name(error);
}

// clang-format off
constexpr auto error_table = std::to_array<KafkaErrorInfo>({
    // what the broker answers
    {RD_KAFKA_RESP_ERR_UNKNOWN, rejected, message, maybe, broker_log},
    {RD_KAFKA_RESP_ERR_INVALID_MSG, rejected, message, no, "the message was damaged on its way (CORRUPT_MESSAGE), or it has no key and the topic is compacted"},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, not_found, topic, no, create_topic},
    {RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, invalid_argument, batch, no, ""},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, unavailable, message, maybe, ""},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, too_large, batch, no, size_limits},
    {RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, unavailable, message, maybe, ""},
    {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, invalid_argument, message, no, "the broker does not accept the topic's name"},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, too_large, batch, no,
     "the limit is the topic's segment.bytes; several messages that share a batch (conn_details 'batch.size') count as "
     "one"},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, rejected, message, no, replicas},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, rejected, message, maybe, replicas},
    {RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS, invalid_argument, message, no, "set conn_details.acks to all"},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, permission_denied, message, no,
     "grant the principal WRITE on the topic"},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, permission_denied, message, no,
     "grant the principal IDEMPOTENT_WRITE on the cluster, or set conn_details.enable_idempotence to false"},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, invalid_argument, batch, no,
     "compare this machine's clock with the broker's, and see the topic's message.timestamp.*.max.ms"},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, unauthenticated, message, no, credentials},
    {RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, unauthenticated, message, no,
     "check conn_details.security_protocol against the listener's"},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, invalid_argument, message, no, too_old},
    {RD_KAFKA_RESP_ERR_NOT_CONTROLLER, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR_INVALID_REQUEST, invalid_argument, batch, no, broker_log},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, invalid_argument, message, no, too_old},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, permission_denied, batch, no, "a policy of the broker refuses it"},
    {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, unavailable, message, maybe, ""},
    {RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER, unavailable, message, maybe, ""},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, permission_denied, message, no,
     "grant the principal WRITE on the transactional id"},
    {RD_KAFKA_RESP_ERR_SECURITY_DISABLED, permission_denied, message, no, broker_log},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, unavailable, message, maybe, "a disk of the broker fails; its log has more"},
    {RD_KAFKA_RESP_ERR_LOG_DIR_NOT_FOUND, unavailable, message, no, broker_log},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, unauthenticated, message, no, credentials},
    {RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, unavailable, message, maybe, ""},
    {RD_KAFKA_RESP_ERR_LISTENER_NOT_FOUND, unavailable, message, no, "a broker does not have this listener"},
    {RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, invalid_argument, message, no,
     "choose another conn_details.compression_type"},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, invalid_argument, batch, no,
     "a compacted topic needs a key with every message, and a broker may check schemas"},
    {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, rejected, message, no, "raise the principal's quota on the cluster"},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, unavailable, message, maybe, ""},
    {RD_KAFKA_RESP_ERR_UNACCEPTABLE_CREDENTIAL, unauthenticated, message, no, credentials},
    {RD_KAFKA_RESP_ERR_PRINCIPAL_DESERIALIZATION_FAILURE, unavailable, message, no, broker_log},
    // what the client says itself
    {RD_KAFKA_RESP_ERR__BAD_MSG, internal, message, maybe, "the broker's answer makes no sense to the client"},
    {RD_KAFKA_RESP_ERR__BAD_COMPRESSION, internal, message, no, "choose another conn_details.compression_type"},
    {RD_KAFKA_RESP_ERR__DESTROY, unavailable, message, maybe, ""},
    {RD_KAFKA_RESP_ERR__FAIL, unavailable, message, maybe, ""},
    {RD_KAFKA_RESP_ERR__TRANSPORT, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, unavailable, message, no,
     "the system has no thread or memory left for the client"},
    {RD_KAFKA_RESP_ERR__RESOLVE, unavailable, message, no, "the name of a broker is unknown here"},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, not_found, topic, no, "the topic has fewer partitions than it had"},
    {RD_KAFKA_RESP_ERR__FS, internal, message, no, ""},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, not_found, topic, no, create_topic},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__INVALID_ARG, invalid_argument, message, no, ""},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__ISR_INSUFF, rejected, message, no, replicas},
    {RD_KAFKA_RESP_ERR__NODE_UPDATE, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__SSL, unavailable, message, no, "check conn_details' ssl_* against the broker's certificate"},
    {RD_KAFKA_RESP_ERR__WAIT_COORD, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__IN_PROGRESS, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__CONFLICT, internal, message, no, ""},
    {RD_KAFKA_RESP_ERR__STATE, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED, internal, message, no, "this librdkafka is built without it"},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, unauthenticated, message, no, credentials},
    {RD_KAFKA_RESP_ERR__OUTDATED, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, invalid_argument, message, no, too_old},
    {RD_KAFKA_RESP_ERR__WAIT_CACHE, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__INTR, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__PARTIAL, unavailable, message, maybe, ""},
    {RD_KAFKA_RESP_ERR__NOENT, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__UNDERFLOW, internal, message, maybe, "the broker's answer makes no sense to the client"},
    {RD_KAFKA_RESP_ERR__RETRY, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, unavailable, message, maybe, ""},
    {RD_KAFKA_RESP_ERR__FATAL, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__INCONSISTENT, unavailable, message, maybe, ""},
    {RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE, unavailable, message, maybe, ""},
    {RD_KAFKA_RESP_ERR__UNKNOWN_BROKER, unavailable, message, no, ""},
    {RD_KAFKA_RESP_ERR__NOT_CONFIGURED, internal, message, no, ""},
    {RD_KAFKA_RESP_ERR__FENCED, unavailable, message, maybe, ""},
    {invalid_different_record, invalid_argument, batch, no, "another message of its batch is at fault"},
});
// clang-format on

constexpr KafkaErrorInfo other_of_broker{RD_KAFKA_RESP_ERR_UNKNOWN, rejected, message, maybe, broker_log};
constexpr KafkaErrorInfo other_of_client{RD_KAFKA_RESP_ERR__FAIL, unavailable, message, maybe, ""};

}  // namespace

std::span<const KafkaErrorInfo> kafka_errors() noexcept { return error_table; }

const KafkaErrorInfo& kafka_error_info(rd_kafka_resp_err_t error) noexcept {
  const auto* const found = std::find_if(error_table.begin(), error_table.end(),
                                         [&](const KafkaErrorInfo& info) { return info.error == error; });
  if (found != error_table.end()) return *found;
  return error > RD_KAFKA_RESP_ERR_UNKNOWN ? other_of_broker : other_of_client;
}

std::string kafka_error_page() {
  std::string page =
      "| error | from | status | tried again | a copy may have arrived | advice |\n|---|---|---|---|---|---|\n";
  for (const KafkaErrorInfo& info : error_table) {
    const char* again = Status(info.status, {}).retryable() ? "yes" : "no";
    if (info.scope == batch) again = "apart from its batch first";
    if (info.scope == topic) again = "for a while first";
    page += "| `" + name_of(info.error) + "` | " + (info.error >= RD_KAFKA_RESP_ERR_UNKNOWN ? "broker" : "client") +
            " | `" + std::string(to_string(info.status)) + "` | " + again + " | " +
            (info.may_have_arrived ? "yes" : "as the client says") + " | " + std::string(info.advice) + " |\n";
  }
  return page;
}

}  // namespace action_triggers::detail
