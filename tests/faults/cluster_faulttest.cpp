// SPDX-License-Identifier: MIT
// Clusters of three real nodes: the leader dies, and so do too many of the rest.
#include <csignal>

#include "faults/faults.hpp"
#include "faults/support.hpp"

#include "action_triggers/broker_registry.hpp"

namespace action_triggers::tests {
namespace {

// ------------------------------------------------------------------------------------------------------------ RabbitMQ

class RabbitMqClusterTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { Servers::start("rabbitmq rabbitmq-2 rabbitmq-3"); }
  static void TearDownTestSuite() {
    for (const std::string node : {"2", "3"}) {
      const std::string name = "at_" + Servers::variable("AT_RABBITMQ_" + node + "_PORT") + "@localhost";
      run(ACTION_TRIGGERS_SOURCE_DIR "/scripts/servers stop rabbitmq-" + node);
      // The command may fail and have done its work, and then it fails for ever: what counts is who is a member.
      std::string said;
      ASSERT_TRUE(eventually([&] {
        try {
          if (Servers::rabbitmqctl("-q cluster_status").find(name) == std::string::npos) return true;
          Servers::rabbitmqctl("forget_cluster_node " + name);
        } catch (const std::runtime_error& error) {
          said = error.what();
        }
        return false;
      })) << said;
    }
  }

  /// Its count of messages lags behind.
  static std::vector<Received> drain_quorum_queue(const std::string& queue, std::size_t at_least) {
    std::vector<Received> received;
    eventually(
        [&] {
          const auto more = drain_queue(queue);
          received.insert(received.end(), more.begin(), more.end());
          return more.empty() && received.size() >= at_least;
        },
        20s);
    return received;
  }

  /// A classic queue lives on the node where it was declared: not the one that the dispatcher is connected to.
  static void declare_on_the_second_node(const std::string& queue) {
    run("/usr/bin/python3 -c 'import pika; c = pika.BlockingConnection(pika.ConnectionParameters(\"127.0.0.1\", " +
        Servers::variable("AT_RABBITMQ_2_PORT") + ")); c.channel().queue_declare(\"" + queue +
        "\", durable=True); c.close()'");
  }
};

TEST_F(RabbitMqClusterTest, TheLeaderOfAQuorumQueueIsKilled) {
  const std::string queue = unique("quorum");
  const std::string other_queue = unique("quorum");
  std::string hosts;
  for (const std::string suffix : {"_2", "_3", ""}) {
    hosts += (hosts.empty() ? "\"127.0.0.1:" : ", \"127.0.0.1:") + Servers::variable("AT_RABBITMQ" + suffix + "_PORT") +
             "\"";
  }
  const std::string conn = R"("conn_details": {"hosts": [)" + hosts + R"(], "heartbeat": 2})";
  const std::string declare = R"("declare": {"type": "quorum"}, )";
  Ledger ledger;
  Ledger hasty_ledger;
  LostConnections lost;
  Ledger::Clock::time_point healed;
  {
    TriggerDispatcher dispatcher(
        config_with(
            broker("b", "rabbitmq", conn, R"("queue": ")" + queue + R"(", "max_in_flight": 200, )" + declare + plenty) +
            ", " + broker("hasty", "rabbitmq", conn, R"("queue": ")" + other_queue + "\", " + declare + hasty)),
        BrokerRegistry::builtin(), lost.options());
    const auto during = [&] {
      // The first host is a node where the queue is declared, and so its leader.
      const std::string leader = Servers::rabbitmqctl("-q list_queues --no-table-headers name leader");
      ASSERT_THAT(leader, ::testing::HasSubstr("at_" + Servers::variable("AT_RABBITMQ_2_PORT") + "@localhost"));
      Servers::rabbitmqctl("eval 'mnesia:sync_log().'");
      signal_server("AT_RABBITMQ_2_PID", SIGKILL);
      const auto killed = Ledger::Clock::now();
      ASSERT_TRUE(eventually([&] { return ledger.ok_fired_after(killed) > 200; }))  // with two of three nodes
          << dispatcher.stats().brokers["b"].last_error;
      restart_server("rabbitmq-2");
    };
    ASSERT_NO_FATAL_FAILURE(under_load(dispatcher, ledger, during, healed, 2ms, &hasty_ledger));
  }
  Rules rules{.most_duplicates = 200 * (lost.count + 1)};
  ledger.check("RabbitMQ, 3 nodes", "leader of a quorum queue killed", drain_quorum_queue(queue, ledger.fired()), rules,
               healed);
  rules.explained = given_up;
  rules.check_order = false;  // what is refused while there is no leader comes later
  hasty_ledger.check("RabbitMQ, 3 nodes", "leader of a quorum queue killed, given up early",
                     drain_quorum_queue(other_queue, hasty_ledger.count(StatusCode::ok)), rules, healed);
}

TEST_F(RabbitMqClusterTest, AQuorumQueueWithoutAMajorityHoldsUpNobody) {
  const std::string queue = unique("quorum");
  const std::string other_queue = unique("quorum");
  const std::string healthy_queue = unique("classic");
  const std::string declare = R"("declare": {"type": "quorum"}, )";
  Ledger ledger;
  Ledger hasty_ledger;
  Ledger healthy_ledger;
  LostConnections lost;
  Ledger::Clock::time_point healed;
  {
    TriggerDispatcher dispatcher(
        config_with(
            broker("b", "rabbitmq", rabbitmq_conn(), R"("queue": ")" + queue + "\", " + declare + plenty) + ", " +
            broker("hasty", "rabbitmq", rabbitmq_conn(), R"("queue": ")" + other_queue + "\", " + declare + hasty) +
            ", " +
            broker("healthy", "rabbitmq", rabbitmq_conn(),
                   R"("queue": ")" + healthy_queue + R"(", "declare": true, "max_in_flight": 200, )" + plenty)),
        BrokerRegistry::builtin(), lost.options());
    ASSERT_EQ(dispatcher.stats().lanes, 1U);
    const auto during = [&] {
      Servers::rabbitmqctl("eval 'mnesia:sync_log().'");
      signal_server("AT_RABBITMQ_2_PID", SIGKILL);
      signal_server("AT_RABBITMQ_3_PID", SIGKILL);
      const std::uint64_t failed_before = hasty_ledger.reported() - hasty_ledger.count(StatusCode::ok);
      ASSERT_TRUE(eventually([&] {  // there is no majority any more
        return hasty_ledger.reported() - hasty_ledger.count(StatusCode::ok) > failed_before + 200;
      }));
      const auto without_majority = Ledger::Clock::now();
      Load healthy(dispatcher, healthy_ledger, "healthy");
      EXPECT_TRUE(eventually([&] { return healthy_ledger.ok_fired_after(without_majority) > 2'000; }))
          << dispatcher.stats().brokers["healthy"].last_error;
      EXPECT_EQ(ledger.ok_fired_after(without_majority), 0U) << "a majority was left";
      healthy.stop();
      restart_server("rabbitmq-2");
      restart_server("rabbitmq-3");
    };
    ASSERT_NO_FATAL_FAILURE(under_load(dispatcher, ledger, during, healed, 2ms, &hasty_ledger));
  }
  const std::string fault = "quorum queue without a majority";
  Rules rules{.most_duplicates = rabbitmq_window * (lost.count + 1)};
  ledger.check("RabbitMQ, 3 nodes", fault, drain_quorum_queue(queue, ledger.fired()), rules, healed);
  rules.explained = given_up;
  rules.check_order = false;  // what is refused while there is no majority comes later
  hasty_ledger.check("RabbitMQ, 3 nodes", fault + ", given up early",
                     drain_quorum_queue(other_queue, hasty_ledger.count(StatusCode::ok)), rules, healed);
  healthy_ledger.check("RabbitMQ, 3 nodes", fault + ", a healthy queue beside it", drain_queue(healthy_queue),
                       {.most_duplicates = 200 * lost.count}, healed);
}

TEST_F(RabbitMqClusterTest, MessagesToAQueueWhoseNodeIsDownWaitForIt) {
  const std::string queue = unique("classic");
  declare_on_the_second_node(queue);
  TriggerDispatcher dispatcher(config_with(
      broker("b", "rabbitmq", rabbitmq_conn(), R"("queue": ")" + queue + R"(", "declare": true, )" + plenty)));
  ASSERT_THAT(dispatcher.fire("b", "first").wait(), testing::IsOk());
  Servers::rabbitmqctl("eval 'mnesia:sync_log().'");
  signal_server("AT_RABBITMQ_2_PID", SIGKILL);
  const Delivery waits = dispatcher.fire("b", "second");
  // RabbitMQ 3 forgets the queue while its node is down, and says so when it is to be declared. RabbitMQ 4 remembers
  // it, and nacks what it cannot hand over.
  std::string error;
  EXPECT_TRUE(eventually([&] {
    error = dispatcher.stats().brokers.at("b").last_error;
    return error.find("down or inaccessible") != std::string::npos || error.find("nack") != std::string::npos;
  })) << error;
  EXPECT_THAT(error, ::testing::HasSubstr("node"));  // it says where to look
  EXPECT_FALSE(waits.done()) << waits.wait().status;
  restart_server("rabbitmq-2");
  EXPECT_THAT(waits.wait(), testing::IsOk());
  std::vector<std::string> bodies;
  for (const Received& received : drain_queue(queue)) bodies.push_back(received.body);
  EXPECT_THAT(bodies, ::testing::ElementsAre("first", "second"));
}

TEST_F(RabbitMqClusterTest, TheNodeOfAClassicQueueIsKilled) {
  const std::string queue = unique("classic");
  const std::string other_queue = unique("classic");
  for (const std::string& name : {queue, other_queue}) declare_on_the_second_node(name);
  Ledger ledger;
  Ledger hasty_ledger;
  LostConnections lost;
  Ledger::Clock::time_point healed;
  {
    TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(),
                                                    R"("queue": ")" + queue + R"(", "declare": true, )" + plenty) +
                                             ", " +
                                             broker("hasty", "rabbitmq", rabbitmq_conn(),
                                                    R"("queue": ")" + other_queue + R"(", "declare": true, )" + hasty)),
                                 BrokerRegistry::builtin(), lost.options());
    const auto during = [&] {
      Servers::rabbitmqctl("eval 'mnesia:sync_log().'");
      signal_server("AT_RABBITMQ_2_PID", SIGKILL);
      ASSERT_TRUE(eventually([&] { return hasty_ledger.reported() > hasty_ledger.count(StatusCode::ok) + 200; }))
          << dispatcher.stats().brokers["hasty"].last_error;
      restart_server("rabbitmq-2");
    };
    ASSERT_NO_FATAL_FAILURE(under_load(dispatcher, ledger, during, healed, 2ms, &hasty_ledger));
  }
  // What was on its way to the node when it died may be refused.
  Rules rules{.most_duplicates = rabbitmq_window * (lost.count + 1), .check_order = false};
  ledger.check("RabbitMQ, 3 nodes", "node of a classic queue killed", drain_queue(queue), rules, healed);
  rules.explained = given_up;
  hasty_ledger.check("RabbitMQ, 3 nodes", "node of a classic queue killed, given up early", drain_queue(other_queue),
                     rules, healed);
}

// --------------------------------------------------------------------------------------------------------------- Kafka

class KafkaClusterTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { Servers::start("kafka kafka-2 kafka-3"); }
  static void TearDownTestSuite() {
    run(ACTION_TRIGGERS_SOURCE_DIR "/scripts/servers stop kafka-2 kafka-3");
    await_brokers(1);  // until the controller has noticed, it would give new topics to them
  }
  /// Until the first one says that there are so many.
  static void await_brokers(int count) {
    const std::string line = " " + std::to_string(count) + " brokers:";
    ASSERT_TRUE(
        eventually([&] { return run("kcat -L -b " + Servers::kafka_bootstrap()).find(line) != std::string::npos; }));
  }

  KafkaClusterTest() {
    // Every partition's leader is broker 2.
    for (const std::string& topic : {topic_, other_topic_}) {
      run("bash -c \"$AT_KAFKA_TOPICS --create --topic " + topic +
          " --replica-assignment 2:3:1,2:3:1,2:3:1 --config min.insync.replicas=2\"");
    }
    await_leaders({topic_, other_topic_}, 3);
  }

  [[nodiscard]] Config config() const {
    const std::string conn = R"("conn_details": {"bootstrap_servers": ")" + Servers::kafka_bootstrap() + "," +
                             Servers::variable("AT_KAFKA_2_BOOTSTRAP") + "," +
                             Servers::variable("AT_KAFKA_3_BOOTSTRAP") + "\"}";
    return config_with(broker("b", "kafka", conn, R"("topic": ")" + topic_ + "\", " + plenty) + ", " +
                       broker("hasty", "kafka", conn, R"("topic": ")" + other_topic_ + "\", " + hasty));
  }

  void survive(const std::string& fault, const std::function<void(Ledger&, Ledger&)>& during) {
    Ledger ledger;
    Ledger hasty_ledger;
    Ledger::Clock::time_point healed;
    {
      TriggerDispatcher dispatcher(config());
      ASSERT_NO_FATAL_FAILURE(under_load(
          dispatcher, ledger, [&] { during(ledger, hasty_ledger); }, healed, 2ms, &hasty_ledger));
    }
    Rules rules{.most_duplicates = kafka_window, .order_per_key = true};
    ledger.check("Kafka, 3 nodes", fault, read_topic(topic_), rules, healed);
    rules.explained = given_up;
    hasty_ledger.check("Kafka, 3 nodes", fault + ", given up early", read_topic(other_topic_), rules, healed);
  }

  const std::string topic_ = unique("replicated");
  const std::string other_topic_ = unique("replicated");
};

TEST_F(KafkaClusterTest, TheLeaderOfThePartitionsIsKilled) {
  survive("partitions' leader killed", [](Ledger& ledger, Ledger& /*hasty_ledger*/) {
    signal_server("AT_KAFKA_2_PID", SIGKILL);
    const auto killed = Ledger::Clock::now();
    ASSERT_TRUE(eventually([&] { return ledger.ok_fired_after(killed) > 200; }));  // another one leads
    restart_server("kafka-2");
  });
}

TEST_F(KafkaClusterTest, TwoOfThreeAreDownAndNothingIsConfirmedUntilTheyAreBack) {
  survive("two of three brokers down, min.insync.replicas 2", [](Ledger& ledger, Ledger& hasty_ledger) {
    signal_server("AT_KAFKA_2_PID", SIGKILL);
    signal_server("AT_KAFKA_3_PID", SIGKILL);
    const auto killed = Ledger::Clock::now();
    await_brokers(1);
    const std::uint64_t given_up = hasty_ledger.reported();  // with one replica, which has noticed
    ASSERT_TRUE(eventually([&] { return hasty_ledger.reported() > given_up + 500; }));
    EXPECT_EQ(ledger.ok_fired_after(killed), 0U) << "confirmed by one replica alone";
    EXPECT_EQ(hasty_ledger.ok_fired_after(killed), 0U) << "confirmed by one replica alone";
    restart_server("kafka-2");
    restart_server("kafka-3");
  });
}

}  // namespace
}  // namespace action_triggers::tests
