// SPDX-License-Identifier: MIT
// A real Apache Kafka with faults, under load, held against the ledger.
#include "faults/faults.hpp"
#include "faults/support.hpp"

#include "action_triggers/broker_registry.hpp"

namespace action_triggers::tests {
namespace {

class KafkaFaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(KafkaFaultTest, LosesNothing) {
  const Fault& fault = GetParam();
  const std::string topic = unique("fault");
  const std::string other_topic = unique("fault");
  create_topics({topic, other_topic}, 3);
  FaultProxy proxy = kafka_proxy();
  const std::string conn =
      R"("conn_details": {"bootstrap_servers": "127.0.0.1:)" + std::to_string(proxy.port()) + "\"}";
  Ledger ledger;
  Ledger hasty_ledger;
  Ledger::Clock::time_point healed;
  ClientLog log;
  {
    TriggerDispatcher dispatcher(
        config_with(broker("b", "kafka", conn, R"("topic": ")" + topic + "\", " + plenty) + ", " +
                    broker("hasty", "kafka", conn, R"("topic": ")" + other_topic + "\", " + hasty)),
        BrokerRegistry::builtin(), log.options());
    ASSERT_NO_FATAL_FAILURE(under_load(
        dispatcher, ledger, [&] { fault.strike(proxy); }, healed, 500us, &hasty_ledger));
    EXPECT_TRUE(dispatcher.close(5s).complete());
  }
  Rules rules{.most_duplicates = kafka_window, .order_per_key = true, .check_order = fault.keeps_order};
  const std::size_t duplicates = ledger.check("Kafka", fault.name, read_topic(topic), rules, healed);
  rules.explained = given_up;
  hasty_ledger.check("Kafka", fault.name + ", given up early", read_topic(other_topic), rules, healed);
  if (duplicates > 0 || HasFailure()) std::cout << "the client said:\n" << log.text();
}

INSTANTIATE_TEST_SUITE_P(, KafkaFaultTest, ::testing::ValuesIn(kafka_faults()),
                         [](const auto& instance) { return name_of(instance.param.name); });

TEST(KafkaOutcomeTest, ATopicDeletedMidRunHoldsItsMessagesUntilItIsBack) {
  const std::string topic = unique("fault");
  create_topics({topic}, 3);
  std::vector<Received> received;
  Ledger ledger;
  Ledger::Clock::time_point healed;
  {
    TriggerDispatcher dispatcher(
        config_with(broker("b", "kafka", kafka_conn(), R"("topic": ")" + topic + "\", " + plenty)));
    Load load(dispatcher, ledger, "b");
    ASSERT_TRUE(eventually([&] { return ledger.count(StatusCode::ok) > 200; }));
    load.stop();
    ASSERT_TRUE(dispatcher.flush(30s));
    received = read_topic(topic);  // what is in it is deleted with it
    run("bash -c \"$AT_KAFKA_TOPICS --delete --topic " + topic + "\"");
    Load without(dispatcher, ledger, "b");
    ASSERT_TRUE(eventually([&] { return dispatcher.stats().brokers["b"].retried > 200; }))
        << dispatcher.stats().brokers["b"].last_error;
    ASSERT_TRUE(eventually([&] {
      try {
        create_topics({topic}, 3);  // the old one may not be gone yet
        return true;
      } catch (const std::runtime_error&) {
        return false;
      }
    }));
    healed = Ledger::Clock::now();
    ASSERT_TRUE(eventually([&] { return ledger.ok_fired_after(healed) > 200; }))
        << dispatcher.stats().brokers["b"].last_error;
    without.stop();
    ASSERT_TRUE(dispatcher.flush(300s));
  }
  const std::vector<Received> after = read_topic(topic);
  received.insert(received.end(), after.begin(), after.end());
  ledger.check("Kafka", "topic deleted and created again", received,
               {.most_duplicates = kafka_window, .order_per_key = true}, healed);
}

}  // namespace
}  // namespace action_triggers::tests
