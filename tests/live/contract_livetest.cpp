// SPDX-License-Identifier: MIT
// The contract of broker.hpp against the real servers.
#include "action_triggers/broker_registry.hpp"
#include "action_triggers/kafka.hpp"
#include "action_triggers/rabbitmq.hpp"
#include "action_triggers/testing/broker_contract.hpp"

#include "live/support.hpp"

namespace action_triggers::tests {
namespace {

testing::ContractSubject rabbitmq() {
  static const std::string first = unique("contract-first");
  static const std::string second = unique("contract-second");
  testing::ContractSubject subject;
  subject.name = "rabbitmq";
  subject.config = [] {
    const auto params = [](const std::string& queue) { return R"("queue": ")" + queue + R"(", "declare": true)"; };
    return config_with(broker("first", "rabbitmq", rabbitmq_conn(), params(first)) + "," +
                       broker("second", "rabbitmq", rabbitmq_conn(), params(second)));
  };
  subject.make = BrokerRegistry::builtin().find("rabbitmq")->make;
  subject.arrived = [](const std::string& name) {
    std::vector<std::string> ids;
    for (const Received& message : drain_queue(name == "first" ? first : second)) ids.push_back(message.id);
    return ids;
  };
  return subject;
}

testing::ContractSubject kafka() {
  static const std::string first = unique("contract-first");
  static const std::string second = unique("contract-second");
  testing::ContractSubject subject;
  subject.name = "kafka";
  subject.config = [] {
    static const bool created = (create_topics({first, second}, 3), true);
    static_cast<void>(created);
    const auto params = [](const std::string& topic) { return R"("topic": ")" + topic + "\""; };
    return config_with(broker("first", "kafka", kafka_conn(), params(first)) + "," +
                       broker("second", "kafka", kafka_conn(), params(second)));
  };
  subject.make = BrokerRegistry::builtin().find("kafka")->make;
  subject.arrived = [](const std::string& name) {
    std::vector<std::string> ids;
    for (const Received& message : read_topic(name == "first" ? first : second)) ids.push_back(message.id);
    return ids;
  };
  return subject;
}

INSTANTIATE_TEST_SUITE_P(Live, BrokerContract, ::testing::Values(rabbitmq(), kafka()),
                         [](const auto& subject) { return subject.param.name; });

}  // namespace
}  // namespace action_triggers::tests
