#include "brokers/builtin.hpp"

#include "brokers/backends.hpp"

namespace action_triggers::detail {

/// The one list of backends. A new one adds its folder, its lines in backends.hpp and in src/CMakeLists.txt, and a line
/// here.
void add_builtin(BrokerRegistry& registry) {
#ifdef ACTION_TRIGGERS_WITH_KAFKA
  registry.add("kafka", parse_kafka, make_kafka).set_ping("kafka", ping_kafka);
#else
  registry.add_unavailable("kafka", parse_kafka,
                           "this build of action_triggers has no Kafka backend; rebuild it with "
                           "-DACTION_TRIGGERS_WITH_KAFKA=ON, or register a maker for 'kafka'");
#endif
#ifdef ACTION_TRIGGERS_WITH_RABBITMQ
  registry.add("rabbitmq", parse_rabbitmq, make_rabbitmq).set_ping("rabbitmq", ping_rabbitmq);
#else
  registry.add_unavailable("rabbitmq", parse_rabbitmq,
                           "this build of action_triggers has no RabbitMQ backend; rebuild it with "
                           "-DACTION_TRIGGERS_WITH_RABBITMQ=ON, or register a maker for 'rabbitmq'");
#endif
  registry.add("memory", parse_memory, make_memory);
}

}  // namespace action_triggers::detail
