// SPDX-License-Identifier: MIT
// Both brokers under load, and something random goes wrong with one of them all the time.
#include <cstdlib>
#include <list>
#include <random>

#include "faults/faults.hpp"
#include "faults/support.hpp"

#include "action_triggers/broker_registry.hpp"

namespace action_triggers::tests {
namespace {

using Random = std::mt19937;

constexpr std::size_t window = 200;
constexpr auto round_length = 2min;

unsigned number_from(const char* variable, unsigned otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr || *text == '\0' ? otherwise : static_cast<unsigned>(std::stoul(text));
}

/// A round: two minutes at most, then the oracle's verdict on both brokers.
void run_round(Random& random, std::chrono::seconds length) {
  const std::string topic = unique("chaos");
  const std::string other_topic = unique("chaos");
  const std::string queue = unique("chaos");
  const std::string other_queue = unique("chaos");
  create_topics({topic, other_topic}, 3);
  FaultProxy to_kafka = kafka_proxy();
  FaultProxy to_rabbitmq(Servers::rabbitmq_host(), Servers::rabbitmq_port());
  const std::string kafka_conn =
      R"("conn_details": {"bootstrap_servers": "127.0.0.1:)" + std::to_string(to_kafka.port()) + "\"}";
  const std::string rabbitmq_conn =
      R"("conn_details": {"host": "127.0.0.1", "heartbeat": 2, "connect_timeout": 2, "port": )" +
      std::to_string(to_rabbitmq.port()) + "}";
  Ledger kafka_ledger;
  Ledger rabbitmq_ledger;
  Ledger hasty_kafka_ledger;
  Ledger hasty_rabbitmq_ledger;
  Ledger::Clock::time_point healed;
  std::size_t faults = 0;
  ClientLog log;
  {
    TriggerDispatcher dispatcher(
        config_with(broker("kafka", "kafka", kafka_conn, R"("topic": ")" + topic + "\", " + plenty) + ", " +
                    broker("hasty kafka", "kafka", kafka_conn, R"("topic": ")" + other_topic + "\", " + hasty) + ", " +
                    broker("rabbitmq", "rabbitmq", rabbitmq_conn,
                           R"("queue": ")" + queue + R"(", "declare": true, "max_in_flight": )" +
                               std::to_string(window) + ", " + plenty) +
                    ", " +
                    broker("hasty rabbitmq", "rabbitmq", rabbitmq_conn,
                           R"("queue": ")" + other_queue + R"(", "declare": true, )" + hasty)),
        BrokerRegistry::builtin(), log.options());
    std::list<Load> loads;
    loads.emplace_back(dispatcher, kafka_ledger, "kafka", 2ms);
    loads.emplace_back(dispatcher, rabbitmq_ledger, "rabbitmq", 2ms);
    loads.emplace_back(dispatcher, hasty_kafka_ledger, "hasty kafka", 4ms);
    loads.emplace_back(dispatcher, hasty_rabbitmq_ledger, "hasty rabbitmq", 4ms);
    const auto both_go_on = [&] {
      const auto now = Ledger::Clock::now();
      return eventually(
          [&] { return kafka_ledger.ok_fired_after(now) > 20 && rabbitmq_ledger.ok_fired_after(now) > 20; });
    };
    ASSERT_TRUE(both_go_on());
    for (const auto end = Ledger::Clock::now() + length; Ledger::Clock::now() < end; ++faults) {
      const bool kafkas_turn = random() % 2 == 0;
      const std::vector<Fault> choice = kafkas_turn ? kafka_faults() : rabbitmq_faults();
      const Fault& fault = choice[random() % choice.size()];
      FaultProxy& proxy = kafkas_turn ? to_kafka : to_rabbitmq;
      SCOPED_TRACE(fault.name + (kafkas_turn ? " (Kafka)" : " (RabbitMQ)"));
      std::cout << "chaos: " << (kafkas_turn ? "Kafka: " : "RabbitMQ: ") << fault.name << std::endl;
      fault.strike(proxy);
      ASSERT_TRUE(both_go_on()) << "Kafka: " << dispatcher.stats().brokers["kafka"].last_error
                                << "\nRabbitMQ: " << dispatcher.stats().brokers["rabbitmq"].last_error;
      // Each broker has a fault about every 10 to 30 s.
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 8'000));
    }
    healed = Ledger::Clock::now();
    ASSERT_TRUE(both_go_on());
    loads.clear();
    ASSERT_TRUE(dispatcher.flush(300s));
    EXPECT_TRUE(dispatcher.close(5s).complete());
  }
  const std::string name = "chaos: " + std::to_string(faults) + " random faults on both";
  Rules of_kafka{.most_duplicates = kafka_window, .order_per_key = true};
  const std::size_t duplicates = kafka_ledger.check("Kafka", name, read_topic(topic), of_kafka, healed);
  if (duplicates > 0) std::cout << "the clients said:\n" << log.text();
  Rules of_rabbitmq{.most_duplicates = static_cast<std::size_t>(to_rabbitmq.connections_made()) * window};
  rabbitmq_ledger.check("RabbitMQ", name, drain_queue(queue), of_rabbitmq, healed);
  of_kafka.explained = of_rabbitmq.explained = given_up;
  hasty_kafka_ledger.check("Kafka", name + ", given up early", read_topic(other_topic), of_kafka, healed);
  hasty_rabbitmq_ledger.check("RabbitMQ", name + ", given up early", drain_queue(other_queue), of_rabbitmq, healed);
}

TEST(ChaosTest, NothingIsLost) {
  const std::chrono::minutes minutes(number_from("ACTION_TRIGGERS_CHAOS_MINUTES", 2));
  const unsigned seed = number_from("ACTION_TRIGGERS_CHAOS_SEED", std::random_device{}());
  std::cout << "chaos: seed " << seed << '\n';
  Random random(seed);
  const auto began = Ledger::Clock::now();
  do {
    const auto left = minutes - std::chrono::duration_cast<std::chrono::seconds>(Ledger::Clock::now() - began);
    run_round(random, std::min<std::chrono::seconds>(left, round_length));
    if (HasFailure()) return;
  } while (Ledger::Clock::now() - began < minutes - 10s);
}

}  // namespace
}  // namespace action_triggers::tests
