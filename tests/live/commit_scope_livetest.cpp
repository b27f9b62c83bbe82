// SPDX-License-Identifier: MIT
// Commit scopes on real servers: what was rolled back is never there, what was committed once, in order and together.
#include "action_triggers/commit_scope.hpp"

#include <utility>

#include "live/support.hpp"

namespace action_triggers::tests {
namespace {

constexpr int transactions = 500;  // of each thread
constexpr int messages = 10;
constexpr int threads = 3;

/// Every second transaction is rolled back, every fifth one in part.
void run_transactions(TriggerDispatcher& dispatcher, int thread) {
  CommitScope scope(dispatcher);
  for (int transaction = 0; transaction < transactions; ++transaction) {
    const std::string name = std::to_string(thread) + " " + std::to_string(transaction) + " ";
    const auto fire_all = [&](const std::string& what) {
      for (int i = 0; i < messages; ++i) {
        for (const char* destination : {"kafka", "rabbitmq"}) {
          scope.fire(destination, Message{.body = name + what + std::to_string(i), .key = "one partition"});
        }
      }
    };
    if (transaction % 5 == 0) {
      const auto savepoint = scope.savepoint();
      fire_all("undone ");
      scope.rollback_to(savepoint);
    }
    fire_all(transaction % 2 == 0 ? "" : "undone ");
    transaction % 2 == 0 ? scope.commit() : scope.rollback();
  }
}

void expect_whole_transactions(const std::vector<Received>& received) {
  ASSERT_EQ(received.size(), static_cast<std::size_t>(threads * transactions / 2 * messages));
  std::map<std::string, int> next;  // of each thread
  for (std::size_t at = 0; at < received.size(); at += messages) {
    const std::string thread = received[at].body.substr(0, received[at].body.find(' '));
    const std::string name = thread + " " + std::to_string(std::exchange(next[thread], next[thread] + 2)) + " ";
    for (int i = 0; i < messages; ++i) {
      ASSERT_EQ(received[at + static_cast<std::size_t>(i)].body, name + std::to_string(i));
    }
  }
}

TEST(CommitScopeLiveTest, OnlyWhatWasCommittedArrivesOnceInOrderAndTogether) {
  const std::string place = unique("scopes");
  create_topics({place}, 1);
  TriggerDispatcher dispatcher(config_with(
      broker("kafka", "kafka", kafka_conn(), R"("topic": ")" + place + "\", " + roomy) + ", " +
      broker("rabbitmq", "rabbitmq", rabbitmq_conn(), R"("queue": ")" + place + R"(", "declare": true, )" + roomy)));
  std::vector<std::thread> all;
  for (int thread = 0; thread < threads; ++thread) {
    all.emplace_back([&, thread] { run_transactions(dispatcher, thread); });
  }
  for (std::thread& one : all) one.join();
  ASSERT_TRUE(dispatcher.flush(120s));
  for (const char* name : {"kafka", "rabbitmq"}) {
    const BrokerStats stats = dispatcher.stats().brokers.at(name);
    EXPECT_EQ(stats.failed, 0U);
    EXPECT_EQ(stats.delivered + stats.by_status[static_cast<std::size_t>(StatusCode::rolled_back)], stats.fired);
  }
  ASSERT_NO_FATAL_FAILURE(expect_whole_transactions(read_topic(place)));
  ASSERT_NO_FATAL_FAILURE(expect_whole_transactions(drain_queue(place)));
}

}  // namespace
}  // namespace action_triggers::tests
