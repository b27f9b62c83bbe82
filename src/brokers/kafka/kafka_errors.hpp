// SPDX-License-Identifier: MIT
/// Every error that a producer can see, and what it means here. docs/kafka-errors.md shows this table.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "action_triggers/status.hpp"

namespace action_triggers::detail {

/// Of what an error speaks; decides what is done before it is an outcome.
enum class KafkaErrorScope : std::uint8_t {
  message,
  batch,  ///< All messages that shared a request, of which one may be at fault.
  topic,  ///< The topic or the partition is unknown, which may be news of a moment ago.
};

struct KafkaErrorInfo {
  rd_kafka_resp_err_t error;
  StatusCode status;  ///< Says whether it is tried again.
  KafkaErrorScope scope;
  bool may_have_arrived;    ///< Even where librdkafka says that it was not written.
  std::string_view advice;  ///< What somebody can do; may be empty.
};

std::span<const KafkaErrorInfo> kafka_errors() noexcept;

/// The entry of an error; for one that has none, `rejected` if it is the broker's, else `unavailable`.
const KafkaErrorInfo& kafka_error_info(rd_kafka_resp_err_t error) noexcept;

/// The table in Markdown.
std::string kafka_error_page();

}  // namespace action_triggers::detail
