// SPDX-License-Identifier: MIT
/// What librdkafka says, in this library's words.
#pragma once

#include <librdkafka/rdkafka.h>

#include <string>

#include "action_triggers/broker.hpp"
#include "action_triggers/status.hpp"

namespace action_triggers::detail {

/// An error of librdkafka as a Status, with what to do about it. `text` and `topic` may be empty.
Status kafka_status(rd_kafka_resp_err_t error, const std::string& text, const std::string& topic);

/// True if the client reports success although the broker did not confirm this very message. The idempotent producer
/// does so when a request failed and a later one is confirmed: it concludes that the earlier one was written too, and
/// reports it without an offset. That can be wrong. A broker that does not know the producer yet, as for a topic just
/// created, confirms the later request although it refused the earlier one (seen with librdkafka 2.0.2 and Kafka
/// 4.3.1).
bool is_only_inferred(const rd_kafka_message_t& report) noexcept;

/// The outcome of a message from its delivery report.
Outcome kafka_outcome(const rd_kafka_message_t& report, const std::string& topic);

/// The level of a syslog message as a LogLevel.
LogLevel kafka_log_level(int syslog_level) noexcept;

}  // namespace action_triggers::detail
