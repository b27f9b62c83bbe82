// SPDX-License-Identifier: MIT
/// The record headers of messages, in lists that are used again (docs/decisions/0016).
#pragma once

#include <librdkafka/rdkafka.h>

#include <vector>

#include "action_triggers/broker.hpp"
#include "action_triggers/kafka.hpp"
#include "brokers/kafka/kafka_client.hpp"

namespace action_triggers::detail {

/// Makes librdkafka's header lists, and keeps those of delivered messages whose only header was their id: the next such
/// message writes its id into one of them, which saves three allocations. For one thread.
class KafkaHeaderLists {
 public:
  KafkaHeaderLists();

  /// The message's own headers, then content-type, then its id as `config` names them; empty if there are none.
  KafkaHeaders make(const KafkaConfig& config, const OutboundMessage& message);

  /// Takes the list of a message that is done, if another message can use it. `report` is the message's delivery
  /// report; afterwards it may have no headers.
  void keep(const rd_kafka_message_t& report, const KafkaConfig& config, const OutboundMessage& message);

 private:
  std::vector<KafkaHeaders> kept_;
};

}  // namespace action_triggers::detail
