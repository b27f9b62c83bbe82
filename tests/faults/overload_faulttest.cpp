// SPDX-License-Identifier: MIT
// Both brokers away, and 10,000 messages a second for each of them all the same.
#include <cstdlib>
#include <fstream>
#include <set>

#include "faults/faults.hpp"
#include "faults/support.hpp"

namespace action_triggers::tests {
namespace {

constexpr std::size_t cap = std::size_t{64} << 20U;  // max_queued_bytes, of each name
constexpr std::size_t body_bytes = 8'192;            // beside them a message takes about 0.5 KiB: docs/delivery.md
constexpr int per_millisecond = 10;

/// What the process has in memory now.
std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  file >> size >> resident;
  return resident * 4'096;
}

struct Outcomes {
  std::atomic<std::uint64_t> ok{0};
  std::atomic<std::uint64_t> full{0};
  std::atomic<std::uint64_t> other{0};
};

TEST(OverloadTest, MemoryStaysUnderTheCapAndOutcomesAddUp) {
  const char* const asked = std::getenv("ACTION_TRIGGERS_OVERLOAD_SECONDS");
  const std::chrono::seconds length(asked == nullptr ? 60 : std::stoi(asked));
  const std::string topic = unique("overload");
  const std::string queue = unique("overload");
  create_topics({topic}, 3);
  FaultProxy to_kafka = kafka_proxy();
  FaultProxy to_rabbitmq(Servers::rabbitmq_host(), Servers::rabbitmq_port());
  const std::string bounds = R"("timeout_secs": 3600, "max_queued_bytes": )" + std::to_string(cap);
  TriggerDispatcher dispatcher(config_with(
      broker("kafka", "kafka",
             R"("conn_details": {"bootstrap_servers": "127.0.0.1:)" + std::to_string(to_kafka.port()) + "\"}",
             R"("topic": ")" + topic + "\", " + bounds) +
      ", " +
      broker("rabbitmq", "rabbitmq",
             R"("conn_details": {"host": "127.0.0.1", "port": )" + std::to_string(to_rabbitmq.port()) + "}",
             R"("queue": ")" + queue + R"(", "declare": true, )" + bounds)));
  const std::vector<std::string> names{"kafka", "rabbitmq"};
  std::map<std::string, Outcomes> outcomes;
  std::map<std::string, std::uint64_t> fired;
  const std::string body(body_bytes, 'x');
  const auto fire = [&](const std::string& name) {
    ++fired[name];
    dispatcher.fire(name, body, [&counts = outcomes[name]](const DeliveryReport& report) {
      const StatusCode code = report.status.code();
      ++(code == StatusCode::ok ? counts.ok : code == StatusCode::queue_full ? counts.full : counts.other);
    });
  };
  for (const std::string& name : names) fire(name);
  ASSERT_TRUE(dispatcher.flush(30s));  // both are connected

  for (FaultProxy* const proxy : {&to_kafka, &to_rabbitmq}) {
    proxy->refuse();
    proxy->reset_all();
  }
  const std::size_t before = resident_bytes();
  std::size_t most = before;
  std::chrono::nanoseconds longest_fire{0};
  auto next = Ledger::Clock::now();
  for (const auto end = next + length; next < end;) {
    for (const std::string& name : names) {
      for (int i = 0; i < per_millisecond; ++i) {
        const auto begin = Ledger::Clock::now();
        fire(name);
        longest_fire = std::max(longest_fire, std::chrono::nanoseconds(Ledger::Clock::now() - begin));
      }
    }
    most = std::max(most, resident_bytes());
    next += 1ms;
    std::this_thread::sleep_until(next);  // the pace of the load, not a wait for anything
  }
  for (const std::string& name : names) {
    EXPECT_LE(dispatcher.stats().brokers[name].queued_bytes, cap) << name;
    EXPECT_GT(outcomes[name].full, 0U) << name << " was not overloaded";
  }
  const std::size_t allowed = names.size() * cap / 10 * 11;
  std::cout << "overload: " << (most - before) / 1'000'000 << " MB more than before, " << allowed / 1'000'000
            << " MB allowed; the longest fire took " << longest_fire.count() / 1'000 << " us\n";
  if (std::getenv("ACTION_TRIGGERS_UNDER") == nullptr) {
    EXPECT_LE(most - before, allowed);
  } else {
    std::cout << "overload: NOT held against the bound: the tool that this runs under takes memory itself\n";
  }

  const auto healed = Ledger::Clock::now();
  to_kafka.heal();
  to_rabbitmq.heal();
  ASSERT_TRUE(dispatcher.flush(120s));
  std::cout << "overload: drained "
            << std::chrono::duration_cast<std::chrono::milliseconds>(Ledger::Clock::now() - healed).count()
            << " ms after the brokers were back\n";
  for (const std::string& name : names) {
    const Outcomes& counts = outcomes[name];
    std::cout << "overload: " << name << ": " << fired[name] << " fired, " << counts.ok << " ok, " << counts.full
              << " queue_full, " << counts.other << " other\n";
    EXPECT_EQ(counts.ok + counts.full, fired[name]) << name;
    EXPECT_EQ(counts.other, 0U) << name;
    EXPECT_GE(counts.ok, cap / body_bytes) << name << ": what was accepted while the broker was away";
  }
  const auto expect_all_of = [&](const std::string& name, const std::vector<Received>& received, std::size_t window) {
    std::set<std::string> ids;
    for (const Received& message : received) ids.insert(message.id);
    EXPECT_EQ(ids.size(), outcomes[name].ok) << name;
    EXPECT_LE(received.size() - ids.size(), window) << name << ": duplicates";  // in flight when the network went
    std::cout << "overload: " << name << ": " << received.size() - ids.size() << " duplicates\n";
  };
  expect_all_of("kafka", read_topic(topic), kafka_window);
  expect_all_of("rabbitmq", drain_queue(queue), rabbitmq_window);
}

}  // namespace
}  // namespace action_triggers::tests
