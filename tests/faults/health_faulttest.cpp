// SPDX-License-Identifier: MIT
// What health() says of real brokers while they are killed, hold messages up, or have no place for a message: true
// within a second of the truth; of a Kafka that is lost within what its client needs to know it.
#include <csignal>

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "faults/faults.hpp"
#include "faults/support.hpp"

namespace action_triggers::tests {
namespace {

using ::testing::HasSubstr;

// Sanitizers make everything several times as slow.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::chrono::seconds soon_enough{5};
#else
constexpr std::chrono::seconds soon_enough{1};
#endif

class HealthFaultTest : public ::testing::Test {
 protected:
  /// Asks until it is so; a failure if it is not in time.
  static void expect_soon(const TriggerDispatcher& dispatcher, HealthState state, const std::string& what = {},
                          std::chrono::seconds patience = soon_enough) {
    const auto deadline = Clock::now() + patience;
    Health health;
    do {
      health = dispatcher.health();
      const bool is_said =
          what.empty() || (!health.reasons.empty() && health.reasons.front().what.find(what) != std::string::npos);
      if (health.state == state && is_said) return;
      std::this_thread::yield();
    } while (Clock::now() < deadline);
    ADD_FAILURE() << "not " << state << " '" << what << "', but " << health;
  }
  static void expect_fresh(const TriggerDispatcher& dispatcher, WallTime since) {
    const Health health = dispatcher.health();
    ASSERT_FALSE(health.reasons.empty());
    EXPECT_GE(health.reasons.front().since, since - soon_enough);
    EXPECT_LE(health.reasons.front().since, WallTime::clock::now());
    EXPECT_FALSE(health.reasons.front().to_do.empty());
  }
  /// Kills the server, which is then down; starts it again, and it is as before.
  static void kill_and_restart(TriggerDispatcher& dispatcher, const std::string& server, const std::string& variable,
                               std::chrono::seconds until_known = soon_enough) {
    ASSERT_TRUE(dispatcher.wait_until_connected(30s));
    expect_soon(dispatcher, HealthState::ok);
    const WallTime before = WallTime::clock::now();
    signal_server(variable, SIGKILL);
    expect_soon(dispatcher, HealthState::down, "no connection: ", until_known);
    expect_fresh(dispatcher, before);
    restart_server(server);
    expect_soon(dispatcher, HealthState::ok, {}, until_known);
    EXPECT_GE(dispatcher.stats().connections.at(0).reconnects, 1U);
    EXPECT_THAT(dispatcher.fire("b", "after").wait(), testing::IsOk());
  }

  const std::string name_ = unique("health");
};

TEST_F(HealthFaultTest, RabbitMqIsKilledAndStarted) {
  TriggerDispatcher dispatcher(
      config_with(broker("b", "rabbitmq", rabbitmq_conn(), R"("queue": ")" + name_ + R"(", "declare": true)" + soon)));
  kill_and_restart(dispatcher, "rabbitmq", "AT_RABBITMQ_PID");
}

TEST_F(HealthFaultTest, KafkaIsKilledAndStarted) {
  create_topics({name_}, 1);
  TriggerDispatcher dispatcher(config_with(broker("b", "kafka", kafka_conn(), R"("topic": ")" + name_ + "\"" + soon)));
  // Idle, the client looks for a connection once a second, and none is believed to be lost before four.
  kill_and_restart(dispatcher, "kafka", "AT_KAFKA_PID", 5 * soon_enough);
}

TEST_F(HealthFaultTest, KafkaIsKilledWhileAMessageWaits) {
  create_topics({name_}, 1);
  TriggerDispatcher dispatcher(
      config_with(broker("b", "kafka", kafka_conn(), R"("topic": ")" + name_ + R"(", "timeout_secs": 300)" + soon)));
  ASSERT_THAT(dispatcher.fire("b", "before").wait(), testing::IsOk());
  signal_server("AT_KAFKA_PID", SIGKILL);
  const Delivery waits = dispatcher.fire("b", "meanwhile");
  // A second without an answer, after the client has noticed.
  expect_soon(dispatcher, HealthState::down, "no connection: ", 2 * soon_enough);
  restart_server("kafka");
  expect_soon(dispatcher, HealthState::ok);
  EXPECT_THAT(waits.wait(), testing::IsOk());
}

TEST_F(HealthFaultTest, RabbitMqRefusesThePassword) {
  TriggerDispatcher dispatcher(
      config_with(broker("b", "rabbitmq", rabbitmq_conn(R"(, "username": "guest", "password": "wrong")"),
                         R"("queue": ")" + name_ + "\"")));
  expect_soon(dispatcher, HealthState::down);
  expect_soon(dispatcher, HealthState::down, "no connection: unauthenticated", 30s);
  EXPECT_THAT(dispatcher.health().reasons.at(0).to_do, HasSubstr("password"));
}

TEST_F(HealthFaultTest, RabbitMqHasAMemoryAlarm) {
  TriggerDispatcher dispatcher(
      config_with(broker("b", "rabbitmq", rabbitmq_conn(),
                         R"("queue": ")" + name_ + R"(", "declare": true, "timeout_secs": 300)" + soon)));
  ASSERT_TRUE(dispatcher.fire("b", "before").wait().status.ok());
  expect_soon(dispatcher, HealthState::ok);
  Servers::rabbitmqctl("set_vm_memory_high_watermark 0");
  const Delivery held_up = dispatcher.fire("b", "meanwhile");  // RabbitMQ tells those that publish
  expect_soon(dispatcher, HealthState::degraded, "the broker holds messages up");
  EXPECT_THAT(dispatcher.health().reasons.at(0).to_do, HasSubstr("memory"));
  Servers::rabbitmqctl("set_vm_memory_high_watermark 0.4");
  expect_soon(dispatcher, HealthState::ok);
  EXPECT_THAT(held_up.wait(), testing::IsOk());
}

TEST_F(HealthFaultTest, AQueueIsMissingAndIsMade) {
  TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(), R"("queue": ")" + name_ + "\"")));
  ASSERT_TRUE(dispatcher.wait_until_connected(30s));
  expect_soon(dispatcher, HealthState::ok);  // nobody has asked for the queue yet
  ASSERT_EQ(dispatcher.fire("b", "x").wait().status.code(), StatusCode::unroutable);
  expect_soon(dispatcher, HealthState::degraded, "unroutable");
  EXPECT_THAT(dispatcher.health().reasons.at(0).to_do, HasSubstr("make the queue"));
  TriggerDispatcher maker(
      config_with(broker("b", "rabbitmq", rabbitmq_conn(), R"("queue": ")" + name_ + R"(", "declare": true)")));
  ASSERT_TRUE(maker.fire("b", "x").wait().status.ok());
  ASSERT_TRUE(dispatcher.fire("b", "x").wait().status.ok());
  expect_soon(dispatcher, HealthState::ok);
}

TEST_F(HealthFaultTest, ATopicIsMissingAndIsMade) {
  TriggerDispatcher dispatcher(config_with(broker("b", "kafka", kafka_conn(), R"("topic": ")" + name_ + "\"")));
  ASSERT_TRUE(dispatcher.wait_until_connected(30s));
  expect_soon(dispatcher, HealthState::ok);
  ASSERT_EQ(dispatcher.fire("b", "x").wait().status.code(), StatusCode::not_found);
  expect_soon(dispatcher, HealthState::degraded, "not_found");
  EXPECT_THAT(dispatcher.health().reasons.at(0).to_do, HasSubstr("make the exchange, queue or topic"));
  create_topics({name_}, 1);
  // The client learns of it when it asks the cluster the next time; until then it refuses what is fired.
  const auto deadline = Clock::now() + 90s;
  while (!dispatcher.fire("b", "x").wait().status.ok()) ASSERT_LT(Clock::now(), deadline) << dispatcher.health();
  expect_soon(dispatcher, HealthState::ok);
}

}  // namespace
}  // namespace action_triggers::tests
