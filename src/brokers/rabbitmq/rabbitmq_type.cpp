// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/rabbitmq_type.hpp"

namespace action_triggers::detail {

BrokerType rabbitmq_type() {
  BrokerType type{.name = "rabbitmq", .parse = parse_rabbitmq, .fields = rabbitmq_fields};
#ifdef ACTION_TRIGGERS_WITH_RABBITMQ
  type.make = make_rabbitmq;
  type.ping = ping_rabbitmq;
#else
  type.unavailable =
      "this build of action_triggers has no RabbitMQ backend; rebuild it with -DACTION_TRIGGERS_WITH_RABBITMQ=ON, or "
      "register a maker for 'rabbitmq'";
#endif
  return type;
}

}  // namespace action_triggers::detail
