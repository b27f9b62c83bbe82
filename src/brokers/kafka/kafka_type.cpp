// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_type.hpp"

namespace action_triggers::detail {

BrokerType kafka_type() {
  BrokerType type{.name = "kafka", .parse = parse_kafka, .fields = kafka_fields};
#ifdef ACTION_TRIGGERS_WITH_KAFKA
  type.make = make_kafka;
  type.ping = ping_kafka;
#else
  type.unavailable =
      "this build of action_triggers has no Kafka backend; rebuild it with -DACTION_TRIGGERS_WITH_KAFKA=ON, or "
      "register a maker for 'kafka'";
#endif
  return type;
}

}  // namespace action_triggers::detail
