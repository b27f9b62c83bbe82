// SPDX-License-Identifier: MIT
// The configuration is reloaded again and again while threads fire and emit at real brokers, held against the ledger.
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <list>

#include "faults/support.hpp"
#include "unit/config_support.hpp"

namespace action_triggers::tests {
namespace {

/// Resident memory of this process, in KiB.
std::size_t resident_kib() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

// The address sanitizer keeps what was freed, up to 256 MiB, to see who uses it; the thread sanitizer notes who used
// what.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool has_ordinary_memory = false;
#else
constexpr bool has_ordinary_memory = true;
#endif

/// How often; `make soak` asks for more.
int reloads() {
  const char* const wanted = std::getenv("ACTION_TRIGGERS_RELOADS");
  return wanted == nullptr ? 1000 : std::atoi(wanted);
}

/// A destination "k" on Kafka and "q" on RabbitMQ, and an event of each name that goes there.
class ReloadFaultTest : public ::testing::Test {
 protected:
  ReloadFaultTest() { create_topics({topic_}, 3); }

  /// The i-th configuration: params and triggers differ from the one before, and now and then the connections.
  [[nodiscard]] std::string text(int i) const {
    const std::string timeout = R"(, "max_in_flight": )" + std::to_string(i % 2 == 0 ? 500 : 400) + ", " + plenty;
    const std::string client = std::to_string(i / 100 % 2);
    const std::string kafka = broker("k", "kafka", kafka_conn(R"(, "client_id": "reload-)" + client + "\""),
                                     R"("topic": ")" + topic_ + "\"" + timeout);
    const std::string rabbitmq =
        broker("q", "rabbitmq", rabbitmq_conn(R"(, "heartbeat": )" + std::to_string(20 + i / 100 % 2)),
               R"("queue": ")" + queue_ + R"(", "declare": true)" + timeout);
    // Another trigger and another condition each time, which mean the same.
    const std::string when = R"(, "when": {"$not": {"never": [)" + std::to_string(i % 5) + "]}}";
    return R"({"brokers": {)" + kafka + ", " + rabbitmq + R"(}, "triggers": {
      "k)" +
           std::to_string(i % 3) + R"(": {"events": ["k"], "targets": ["k"]},
      "q)" +
           std::to_string(i % 3) + R"(": {"events": ["q"], "targets": ["q"]},
      "none": {"events": ["other.#"])" +
           when + R"(, "targets": ["k", "q"]}}})";
  }

  const std::string topic_ = unique("reload");
  const std::string queue_ = unique("reload");
};

TEST_F(ReloadFaultTest, AThousandReloadsLoseNothingAndKeepTheOrder) {
  constexpr int threads = 8;
  std::list<Ledger> ledgers(threads);
  const Ledger::Clock::time_point begin = Ledger::Clock::now();
  {
    TriggerDispatcher dispatcher(parse_config(text(0)));
    std::list<Load> loads;
    int number = 0;
    for (Ledger& ledger : ledgers) {  // half of them at each broker, and half of those emit
      const bool as_event = number % 4 < 2;
      const auto shape = as_event ? [](std::size_t) { return Ledger::Shape{.as_event = true}; }
                                  : [](std::size_t) { return Ledger::Shape(); };
      loads.emplace_back(dispatcher, ledger, number % 2 == 0 ? "k" : "q", 4ms, shape);
      ++number;
    }
    ASSERT_TRUE(eventually([&] { return ledgers.front().count(StatusCode::ok) > 20; }));
    const TemporaryFile wrong(R"({"brokers": {"k": {"broker_type": "kafka"}}})");
    const int count = reloads();
    std::size_t memory = 0;
    for (int i = 1; i <= count; ++i) {
      dispatcher.reload(parse_config(text(i)), 300s);
      if (i % 100 == 50) {
        EXPECT_THROW(dispatcher.reload_file(wrong.path), ConfigError);
      }
      if (i == count / 2) memory = resident_kib();
      Ledger::wait_for_a_report(10ms);  // so that there is something to hand over
    }
    for (Load& load : loads) load.stop();
    EXPECT_TRUE(dispatcher.flush(300s));
    if (has_ordinary_memory) {
      EXPECT_LT(resident_kib(), memory + 64 * 1024) << "from the middle of the test to its end";
    }
    const Stats stats = dispatcher.stats();
    EXPECT_EQ(stats.lanes, 2U);
    EXPECT_EQ(stats.reloads, static_cast<std::uint64_t>(count));
    EXPECT_EQ(stats.failed_reloads, static_cast<std::uint64_t>(count + 50) / 100);
    EXPECT_TRUE(dispatcher.close(60s).complete());
  }
  const std::vector<Received> in_topic = read_topic(topic_);
  const std::vector<Received> in_queue = drain_queue(queue_);
  int number = 0;
  for (Ledger& ledger : ledgers) {
    const bool kafka = number++ % 2 == 0;
    const Rules rules{.most_duplicates = 0, .order_per_key = kafka};
    ledger.check(kafka ? "Kafka" : "RabbitMQ", "a thousand reloads", ledger.own(kafka ? in_topic : in_queue), rules,
                 begin);
  }
}

TEST_F(ReloadFaultTest, APasswordIsRotatedWhileMessagesFlow) {
  const std::string user = unique("user");
  Servers::rabbitmqctl("add_user " + user + " first");
  Servers::rabbitmqctl("set_permissions " + user + " '.*' '.*' '.*'");
  const auto config = [&](const std::string& password) {
    return config_with(broker("q", "rabbitmq",
                              rabbitmq_conn(R"(, "username": ")" + user + R"(", "password": ")" + password + "\""),
                              R"("queue": ")" + queue_ + R"(", "declare": true, )" + plenty));
  };
  Ledger ledger;
  Ledger::Clock::time_point rotated;
  {
    TriggerDispatcher dispatcher(config("first"));
    Load load(dispatcher, ledger, "q");
    ASSERT_TRUE(eventually([&] { return ledger.count(StatusCode::ok) > 200; }));
    Servers::rabbitmqctl("change_password " + user + " second");
    rotated = Ledger::Clock::now();
    const ReloadReport report = dispatcher.reload(config("second"), 300s);
    EXPECT_THAT(report.changed, ::testing::ElementsAre("q"));
    EXPECT_TRUE(eventually([&] { return ledger.ok_fired_after(Ledger::Clock::now() - 1s) > 200; }));
    load.stop();
    EXPECT_TRUE(dispatcher.flush(300s));
    EXPECT_TRUE(dispatcher.close(60s).complete());
  }
  ledger.check("RabbitMQ", "password rotated by a reload", drain_queue(queue_), {}, rotated);
  Servers::rabbitmqctl("delete_user " + user);
}

}  // namespace
}  // namespace action_triggers::tests
