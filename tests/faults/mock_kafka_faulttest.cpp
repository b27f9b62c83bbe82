// SPDX-License-Identifier: MIT
// Errors that a real Kafka gives too rarely to wait for, from librdkafka's mock cluster, under load.
#include "faults/faults.hpp"
#include "faults/support.hpp"
#include "support/mock_cluster.hpp"

#include "action_triggers/broker_registry.hpp"

namespace action_triggers::tests {
namespace {

struct InjectedFault {
  std::string name;  ///< As the table has it.
  std::function<void(MockCluster&)> strike;
  std::vector<StatusCode> explained;  ///< Failures that the fault explains, beside success.

  friend void PrintTo(const InjectedFault& fault, std::ostream* out) { *out << fault.name; }
};

/// The next eight produce requests are answered with the error, and do not append anything.
InjectedFault refused(const std::string& name, rd_kafka_resp_err_t error, std::vector<StatusCode> explained = {}) {
  return {.name = "8 requests refused: " + name,
          .strike = [error](MockCluster& cluster) { cluster.fail_produce(std::vector<rd_kafka_resp_err_t>(8, error)); },
          .explained = std::move(explained)};
}

std::vector<InjectedFault> injected_faults() {
  return {
      refused("not leader", RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION),
      refused("not enough replicas", RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS),
      refused("too large", RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, {StatusCode::too_large}),
      refused("topic not authorized", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, {StatusCode::permission_denied}),
      refused("out of order sequence", RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER),
      refused("unknown producer id", RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID),
      {.name = "answers 500 ms late for 2 s",
       .strike =
           [](MockCluster& cluster) {
             cluster.set_round_trip(500ms);
             std::this_thread::sleep_for(2s);  // the fault's own length
             cluster.set_round_trip(0ms);
           },
       .explained = {}},
      {.name = "down for 2 s",
       .strike =
           [](MockCluster& cluster) {
             cluster.set_down();
             std::this_thread::sleep_for(2s);  // the fault's own length
             cluster.set_up();
           },
       .explained = {}},
  };
}

class MockKafkaFaultTest : public ::testing::TestWithParam<InjectedFault> {};

TEST_P(MockKafkaFaultTest, LosesNothing) {
  const InjectedFault& fault = GetParam();
  MockCluster cluster;
  for (const char* topic : {"fault", "other"}) cluster.create_topic(topic);
  const std::string conn = R"("conn_details": {"bootstrap_servers": ")" + cluster.bootstrap() + "\"}";
  Ledger ledger;
  Ledger hasty_ledger;
  Ledger::Clock::time_point healed;
  ClientLog log;
  {
    TriggerDispatcher dispatcher(config_with(broker("b", "kafka", conn, R"("topic": "fault", )" + plenty) + ", " +
                                             broker("hasty", "kafka", conn, R"("topic": "other", )" + hasty)),
                                 BrokerRegistry::builtin(), log.options());
    ASSERT_NO_FATAL_FAILURE(under_load(
        dispatcher, ledger, [&] { fault.strike(cluster); }, healed, 1ms, &hasty_ledger));
    EXPECT_TRUE(dispatcher.close(5s).complete());
  }
  // The mock cluster does not look at sequence numbers, and so neither at gaps nor at copies. What was refused and is
  // tried again may come after what was on the wire behind it.
  Rules rules{
      .most_duplicates = kafka_window, .explained = fault.explained, .order_per_key = true, .check_order = false};
  ledger.check("Kafka, mock cluster", fault.name, read_topic("fault", cluster.bootstrap()), rules, healed);
  rules.explained.insert(rules.explained.end(), given_up.begin(), given_up.end());
  hasty_ledger.check("Kafka, mock cluster", fault.name + ", given up early", read_topic("other", cluster.bootstrap()),
                     rules, healed);
  if (HasFailure()) std::cout << "the client said:\n" << log.text();
}

INSTANTIATE_TEST_SUITE_P(, MockKafkaFaultTest, ::testing::ValuesIn(injected_faults()),
                         [](const auto& instance) { return name_of(instance.param.name); });

}  // namespace
}  // namespace action_triggers::tests
