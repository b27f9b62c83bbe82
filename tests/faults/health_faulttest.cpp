// SPDX-License-Identifier: MIT
// What health() says of real brokers while they are killed, hold messages up, or have no place for a message: true
// within a second of the truth; of a Kafka that is lost within what its client needs to know it.
#include <csignal>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>

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

  /// The server runs and answers nothing: what waits is said when half of its time is over, and then that it failed.
  /// Of a dispatcher whose messages are given up after four seconds.
  static void stop_and_continue(TriggerDispatcher& dispatcher, const std::string& variable) {
    ASSERT_THAT(dispatcher.fire("b", "before").wait(), testing::IsOk());
    expect_soon(dispatcher, HealthState::ok);
    const Stopped stopped(variable);
    const Delivery waits = dispatcher.fire("b", "meanwhile");
    expect_soon(dispatcher, HealthState::degraded, "the oldest message waits", 2s + soon_enough);
    EXPECT_THAT(waits.wait(), testing::HasCode(StatusCode::timed_out));
    expect_soon(dispatcher, HealthState::degraded, "nothing was delivered since a message failed: timed_out");
    EXPECT_THAT(dispatcher.health().reasons.at(0).to_do, HasSubstr("overloaded"));
  }
  /// It gets through again, at some time, and then that is said.
  static void expect_recovery(TriggerDispatcher& dispatcher) {
    const auto deadline = Clock::now() + 90s;
    while (!dispatcher.fire("b", "after").wait().status.ok()) ASSERT_LT(Clock::now(), deadline) << dispatcher.health();
    expect_soon(dispatcher, HealthState::ok);
  }
  void make_queue() const {
    TriggerDispatcher maker(
        config_with(broker("b", "rabbitmq", rabbitmq_conn(), R"("queue": ")" + name_ + R"(", "declare": true)")));
    ASSERT_THAT(maker.fire("b", "x").wait(), testing::IsOk());
  }

  /// A server that does not run on, until the end of the scope.
  class Stopped {
   public:
    explicit Stopped(std::string variable) : variable_(std::move(variable)) { signal_server(variable_, SIGSTOP); }
    ~Stopped() { signal_server(variable_, SIGCONT); }
    Stopped(const Stopped&) = delete;
    Stopped& operator=(const Stopped&) = delete;

   private:
    std::string variable_;
  };

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
  make_queue();
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
  expect_recovery(dispatcher);
}

TEST_F(HealthFaultTest, RabbitMqStopsAnswering) {
  TriggerDispatcher dispatcher(config_with(broker(
      "b", "rabbitmq", rabbitmq_conn(), R"("queue": ")" + name_ + R"(", "declare": true, "timeout_secs": 4)" + soon)));
  stop_and_continue(dispatcher, "AT_RABBITMQ_PID");
  expect_recovery(dispatcher);
}

TEST_F(HealthFaultTest, KafkaStopsAnswering) {
  create_topics({name_}, 1);
  TriggerDispatcher dispatcher(
      config_with(broker("b", "kafka", kafka_conn(), R"("topic": ")" + name_ + R"(", "timeout_secs": 4)" + soon)));
  stop_and_continue(dispatcher, "AT_KAFKA_PID");
  expect_recovery(dispatcher);
}

TEST_F(HealthFaultTest, HeartbeatsTellThatRabbitMqStopsAnswering) {
  TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(R"(, "heartbeat": 1)"),
                                                  R"("queue": ")" + name_ + R"(", "declare": true)" + soon)));
  ASSERT_THAT(dispatcher.fire("b", "before").wait(), testing::IsOk());
  {
    const Stopped stopped("AT_RABBITMQ_PID");
    expect_soon(dispatcher, HealthState::down, "no connection: ", 3s + soon_enough);  // nothing came for two of them
  }
  ASSERT_TRUE(dispatcher.wait_until_connected(60s));
  expect_soon(dispatcher, HealthState::ok);
}

TEST_F(HealthFaultTest, RabbitMqsPasswordIsChanged) {
  const auto with = [&](const std::string& password) {
    return config_with(broker("b", "rabbitmq",
                              rabbitmq_conn(R"(, "username": ")" + name_ + R"(", "password": ")" + password + "\""),
                              R"("queue": ")" + name_ + R"(", "declare": true)" + soon));
  };
  Servers::rabbitmqctl("add_user " + name_ + " first");
  Servers::rabbitmqctl("set_permissions " + name_ + " '.*' '.*' '.*'");
  TriggerDispatcher dispatcher(with("first"));
  ASSERT_THAT(dispatcher.fire("b", "before").wait(), testing::IsOk());
  Servers::rabbitmqctl("change_password " + name_ + " second");
  expect_soon(dispatcher, HealthState::ok);  // the connection that there is stays
  Servers::rabbitmqctl("close_all_connections password");
  expect_soon(dispatcher, HealthState::down, "no connection: ");
  expect_soon(dispatcher, HealthState::down, "no connection: unauthenticated",
              30s);  // RabbitMQ takes its time to say so
  EXPECT_THAT(dispatcher.health().reasons.at(0).to_do, HasSubstr("password into conn_details and reload"));
  dispatcher.reload(with("second"));
  ASSERT_TRUE(dispatcher.wait_until_connected(30s));
  expect_soon(dispatcher, HealthState::ok);
  EXPECT_THAT(dispatcher.fire("b", "after").wait(), testing::IsOk());
  Servers::rabbitmqctl("delete_user " + name_);
}

TEST_F(HealthFaultTest, AQueueIsDeletedAndMadeAgain) {
  make_queue();
  TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(), R"("queue": ")" + name_ + "\"")));
  ASSERT_THAT(dispatcher.fire("b", "before").wait(), testing::IsOk());
  expect_soon(dispatcher, HealthState::ok);
  Servers::rabbitmqctl("delete_queue " + name_);
  ASSERT_THAT(dispatcher.fire("b", "meanwhile").wait(), testing::HasCode(StatusCode::unroutable));
  expect_soon(dispatcher, HealthState::degraded, "unroutable");
  make_queue();
  ASSERT_THAT(dispatcher.fire("b", "after").wait(), testing::IsOk());
  expect_soon(dispatcher, HealthState::ok);
}

TEST_F(HealthFaultTest, ATopicIsDeletedAndMadeAgain) {
  create_topics({name_}, 1);
  TriggerDispatcher dispatcher(
      config_with(broker("b", "kafka", kafka_conn(), R"("topic": ")" + name_ + R"(", "timeout_secs": 4)")));
  ASSERT_THAT(dispatcher.fire("b", "before").wait(), testing::IsOk());
  expect_soon(dispatcher, HealthState::ok);
  run("bash -c '\"$AT_KAFKA_TOPICS\" --delete --topic " + name_ + "'");
  const auto deadline = Clock::now() + 90s;  // the broker takes messages until it has heard of it
  while (dispatcher.fire("b", "meanwhile").wait().status.ok()) ASSERT_LT(Clock::now(), deadline);
  expect_soon(dispatcher, HealthState::degraded, "nothing was delivered since a message failed: ");
  create_topics({name_}, 1);
  expect_recovery(dispatcher);
}

TEST_F(HealthFaultTest, KafkaHasAQuota) {
  create_topics({name_}, 1);
  const auto change = [this](const std::string& quota) {
    run("bash -c 'java -cp \"$AT_KAFKA_LIBS/*\" kafka.admin.ConfigCommand --bootstrap-server $AT_KAFKA_BOOTSTRAP "
        "--alter " +
        quota + " --entity-type clients --entity-name " + name_ + "'");
  };
  change("--add-config producer_byte_rate=10000");
  TriggerDispatcher dispatcher(config_with(broker("b", "kafka", kafka_conn(R"(, "client_id": ")" + name_ + "\""),
                                                  R"("topic": ")" + name_ + R"(", "timeout_secs": 300)")));
  const auto deadline = Clock::now() + 30s;
  while (dispatcher.stats().brokers.at("b").state != ConnectionState::blocked && Clock::now() < deadline) {
    ASSERT_THAT(dispatcher.fire("b", std::string(50'000, 'x')).wait(), testing::IsOk());
  }
  expect_soon(dispatcher, HealthState::degraded, "the broker holds messages up");
  change("--delete-config producer_byte_rate");
  expect_recovery(dispatcher);
}

}  // namespace
}  // namespace action_triggers::tests
