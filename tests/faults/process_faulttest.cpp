// SPDX-License-Identifier: MIT
// What happens to a process: it forks, signals interrupt it, it closes at any moment.
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "faults/faults.hpp"
#include "faults/support.hpp"

namespace action_triggers::tests {
namespace {

/// In a child of fork() the parent's other threads do not exist, but what they had on their stacks is not lost.
bool is_child = false;

}  // namespace

/// Asked by LeakSanitizer at the end of a process, where there is one.
extern "C" int __lsan_is_turned_off() { return is_child ? 1 : 0; }  // NOLINT(*-reserved-identifier)

namespace {

class ProcessTest : public ::testing::Test {
 protected:
  ProcessTest() { create_topics({topic_}, 3); }

  [[nodiscard]] Config both() const {
    return config_with(rabbitmq(rabbitmq_conn()) + ", " +
                       broker("kafka", "kafka", kafka_conn(), plenty + R"(, "topic": ")" + topic_ + "\""));
  }
  [[nodiscard]] std::string rabbitmq(const std::string& conn) const {
    return broker("rabbitmq", "rabbitmq", conn, plenty + R"(, "declare": true, "queue": ")" + queue_ + "\"");
  }

  void check(const std::string& fault, Ledger& rabbitmq, Ledger& kafka) {
    const auto now = Ledger::Clock::now();
    rabbitmq.check("RabbitMQ", fault, drain_queue(queue_), {}, now);
    kafka.check("Kafka", fault, read_topic(topic_), {.order_per_key = true}, now);
  }

  const std::string topic_ = unique("process");
  const std::string queue_ = unique("process");
};

TEST_F(ProcessTest, AForkHarmsNeitherConnection) {
  Ledger rabbitmq_ledger;
  Ledger kafka_ledger;
  {
    TriggerDispatcher dispatcher(both());
    Load rabbitmq(dispatcher, rabbitmq_ledger, "rabbitmq");
    Load kafka(dispatcher, kafka_ledger, "kafka");
    const auto both_go_on = [&] {
      const auto now = Ledger::Clock::now();
      return eventually(
          [&] { return rabbitmq_ledger.ok_fired_after(now) > 50 && kafka_ledger.ok_fired_after(now) > 50; });
    };
    ASSERT_TRUE(both_go_on());
    for (int i = 0; i < 20; ++i) {
      const pid_t child = ::fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        is_child = true;
        ::alarm(20);  // a child that hangs is a failure
        const bool dead = dispatcher.fire("kafka", "from the child").wait().status.code() == StatusCode::closed &&
                          dispatcher.fire("rabbitmq", "from the child").wait().status.code() == StatusCode::closed &&
                          !dispatcher.flush(1s);
        dispatcher.close(1s);
        // Half of the children leave as a program does, with destructors of static objects and exit handlers.
        if (i % 2 == 0) std::exit(dead ? 0 : 1);
        ::_exit(dead ? 0 : 1);
      }
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
    }
    ASSERT_TRUE(both_go_on());
    rabbitmq.stop();
    kafka.stop();
    ASSERT_TRUE(dispatcher.flush(300s));
    EXPECT_EQ(dispatcher.stats().brokers["rabbitmq"].retried, 0U);
  }
  check("20 forks of the process", rabbitmq_ledger, kafka_ledger);
}

std::atomic<int> alarms{0};

TEST_F(ProcessTest, SignalsInterruptNothing) {
  // A signal every 500 us, to a handler that does not restart system calls.
  struct sigaction action {};
  action.sa_handler = [](int) { ++alarms; };
  struct sigaction before {};
  ASSERT_EQ(::sigaction(SIGALRM, &action, &before), 0);
  const itimerval often{.it_interval = {0, 500}, .it_value = {0, 500}};
  Ledger rabbitmq_ledger;
  Ledger kafka_ledger;
  {
    ::setitimer(ITIMER_REAL, &often, nullptr);
    TriggerDispatcher dispatcher(both());
    Load rabbitmq(dispatcher, rabbitmq_ledger, "rabbitmq");
    Load kafka(dispatcher, kafka_ledger, "kafka");
    EXPECT_TRUE(eventually([&] {
      return alarms > 1'000 && rabbitmq_ledger.count(StatusCode::ok) > 2'000 &&
             kafka_ledger.count(StatusCode::ok) > 2'000;
    }));
    rabbitmq.stop();
    kafka.stop();
    EXPECT_TRUE(dispatcher.flush(300s));
    EXPECT_EQ(dispatcher.stats().brokers["rabbitmq"].retried, 0U);
  }
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  std::signal(SIGALRM, SIG_IGN);  // forgets one that is pending
  ::sigaction(SIGALRM, &before, nullptr);
  check("a signal every 500 us", rabbitmq_ledger, kafka_ledger);
}

TEST_F(ProcessTest, ABrokenPipeDoesNotEndTheProcess) {
  ASSERT_EQ(std::signal(SIGPIPE, SIG_DFL), SIG_DFL) << "whoever started the test ignores SIGPIPE";
  FaultProxy proxy(Servers::rabbitmq_host(), Servers::rabbitmq_port());
  Ledger ledger;
  {
    TriggerDispatcher dispatcher(config_with(
        rabbitmq(R"("conn_details": {"host": "127.0.0.1", "port": )" + std::to_string(proxy.port()) + "}")));
    Load load(dispatcher, ledger, "rabbitmq", 1ms);  // less than the slowest machine takes: nothing piles up
    for (int i = 0; i < 20; ++i) {
      const auto now = Ledger::Clock::now();
      ASSERT_TRUE(eventually([&] { return ledger.ok_fired_after(now) > 100; }));
      proxy.reset_all();  // what is written next hits a socket that is gone
    }
    load.stop();
    ASSERT_TRUE(dispatcher.flush(300s));
  }
  ledger.check("RabbitMQ", "20 resets while writing", drain_queue(queue_), {.most_duplicates = 20 * rabbitmq_window},
               Ledger::Clock::now());
}

TEST_F(ProcessTest, ClosesAtAnyMoment) {
  std::mt19937 random(20260101);
  Ledger rabbitmq_ledger;
  Ledger kafka_ledger;
  for (int i = 0; i < 300; ++i) {
    TriggerDispatcher dispatcher(both());
    const auto end = Ledger::Clock::now() + std::chrono::microseconds(random() % 30'000);
    while (Ledger::Clock::now() < end) {
      rabbitmq_ledger.fire(dispatcher, "rabbitmq");
      kafka_ledger.fire(dispatcher, "kafka");
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 200));  // the pace of the load
    }
    const auto began = Ledger::Clock::now();
    const std::chrono::milliseconds grace(random() % 20);
    dispatcher.close(grace);
    ASSERT_LT(Ledger::Clock::now() - began, grace + 3s) << "close() is bounded";
  }
  const auto now = Ledger::Clock::now();
  rabbitmq_ledger.check("RabbitMQ", "300 times closed at a random moment", drain_queue(queue_),
                        {.explained = {StatusCode::closed}, .check_order = false}, now);
  // What one dispatcher had on the wire when it closed may arrive after what the next one sends.
  kafka_ledger.check("Kafka", "300 times closed at a random moment", read_topic(topic_),
                     {.explained = {StatusCode::closed}, .check_order = false}, now);
}

}  // namespace
}  // namespace action_triggers::tests
