// SPDX-License-Identifier: MIT
/// Configurations and checks that the live tests share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "live/servers.hpp"

namespace action_triggers::tests {

using namespace std::chrono_literals;

inline std::string rabbitmq_conn(const std::string& extra = {}) {
  return R"("conn_details": {"host": ")" + Servers::rabbitmq_host() + R"(", "port": )" +
         std::to_string(Servers::rabbitmq_port()) + extra + "}";
}
inline std::string kafka_conn(const std::string& extra = {}) {
  return R"("conn_details": {"bootstrap_servers": ")" + Servers::kafka_bootstrap() + "\"" + extra + "}";
}
inline std::string broker(const std::string& name, const std::string& type, const std::string& conn,
                          const std::string& params) {
  return "\"" + name + R"(": {"broker_type": ")" + type + "\", " + conn + R"(, "params": {)" + params + "}}";
}
inline Config config_with(const std::string& brokers) { return parse_config(R"({"brokers": {)" + brokers + "}}"); }

/// Four threads fire `count` messages of 256 bytes in all; every delivery must be ok. The body of a message begins with
/// "thread sequence ", its key is the thread.
inline void fire_from_four_threads(TriggerDispatcher& dispatcher, const std::string& name, int count) {
  std::vector<std::vector<Delivery>> deliveries(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < count / 4; ++i) {
        Message message;
        message.body = std::to_string(t) + " " + std::to_string(i) + " ";
        message.body.resize(256, 'x');
        message.key = "key " + std::to_string(t);
        deliveries[static_cast<std::size_t>(t)].push_back(dispatcher.fire(name, message));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(dispatcher.flush(300s));
  for (const auto& of_thread : deliveries) {
    for (const Delivery& delivery : of_thread) ASSERT_THAT(delivery.wait(), testing::IsOk());
  }
}

/// Every message of fire_from_four_threads arrived once, and those of each thread in order.
inline void expect_all_in_order(const std::vector<Received>& received, int count) {
  ASSERT_EQ(received.size(), static_cast<std::size_t>(count));
  std::set<std::string> ids;
  std::map<int, int> next;
  for (const Received& message : received) {
    ids.insert(message.id);
    const int thread = std::stoi(message.body);
    const int sequence = std::stoi(message.body.substr(message.body.find(' ') + 1));
    ASSERT_EQ(sequence, next[thread]++) << "of thread " << thread;
    ASSERT_EQ(message.body.size(), 256U);
  }
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(count)) << "ids must be distinct";
}

/// Two threads, 0 and 1, call send(thread, turn) in strict turns: one call returned before the other one begins.
template <class Send>
void in_strict_turns(int count, Send&& send) {
  std::atomic<int> turn{0};
  const auto player = [&](int me) {
    for (int now = turn.load(); now < count; now = turn.load()) {
      if (now % 2 != me) {
        std::this_thread::yield();
        continue;
      }
      send(me, now);
      turn.store(now + 1);
    }
  };
  std::thread other(player, 1);
  player(0);
  other.join();
}

/// If one fire returned before the other began, that is the order of arrival.
inline void fire_in_strict_turns(TriggerDispatcher& dispatcher, const std::string& name, int count) {
  in_strict_turns(count, [&](int /*thread*/, int turn) {
    Message message;
    message.body = std::to_string(turn);
    message.key = "one key";
    dispatcher.fire(name, message);
  });
  ASSERT_TRUE(dispatcher.flush(300s));
  ASSERT_EQ(dispatcher.stats().brokers.at(name).delivered, static_cast<std::uint64_t>(count));
}

inline void expect_strict_order(const std::vector<Received>& received, int count) {
  ASSERT_EQ(received.size(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) ASSERT_EQ(received[static_cast<std::size_t>(i)].body, std::to_string(i));
}

const inline std::string roomy =
    R"("max_queued_messages": 1000000, "max_queued_bytes": 1000000000, "timeout_secs": 300)";

}  // namespace action_triggers::tests
