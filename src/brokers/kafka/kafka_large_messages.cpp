// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_large_messages.hpp"

#include <algorithm>
#include <string>

namespace action_triggers::detail {
namespace {

constexpr std::size_t large_message = 65'536;  // in bytes
constexpr std::uint32_t most_cuts = 3;

}  // namespace

bool KafkaLargeMessages::is_large(const OutboundMessage& message) { return message.body().size() >= large_message; }

void KafkaLargeMessages::count_in(const OutboundMessage& message) {
  if (is_large(message)) ++in_client_;
}

void KafkaLargeMessages::count_out(const OutboundMessage& message) {
  if (in_client_ > 0 && is_large(message)) --in_client_;  // mostly none: then the message need not be looked at
}

bool KafkaLargeMessages::may_go(const OutboundMessage& message) const { return !are_apart_ || !is_large(message); }

bool KafkaLargeMessages::may_go(const KafkaParts::Messages& part) const {
  return in_client_ == 0 || std::none_of(part.begin(), part.end(), [](const auto* one) { return is_large(*one); });
}

bool KafkaLargeMessages::begin(std::uint32_t cuts) {
  if (in_client_ == 0 || cuts < most_cuts) return false;
  was_alone_ = in_client_ == 1;
  is_taking_ = true;
  are_apart_ = true;
  return true;
}

Status KafkaLargeMessages::closes_at(const OutboundMessage& message) {
  return {StatusCode::too_large, "the broker closes the connection at this message of " +
                                     std::to_string(message.body().size()) +
                                     " bytes; compare its socket.request.max.bytes with conn_details.max_request_size"};
}

}  // namespace action_triggers::detail
