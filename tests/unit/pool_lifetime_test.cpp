// SPDX-License-Identifier: MIT
// What is used after its usual end: a thread's memory for records, and a dispatcher's callbacks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "action_triggers/broker.hpp"
#include "action_triggers/memory.hpp"
#include "action_triggers/testing/in_memory_broker.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "support/child_process.hpp"
#include "support/registries.hpp"
#include "unit/configs.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using tests::config_of;
using tests::registry_of;
using tests::trouble_in_child;

constexpr std::size_t messages_a_round = 256;

/// Confirms at once, unless it was told to wait until it has so many.
class KeepingBroker final : public Broker {
 public:
  explicit KeepingBroker(std::atomic<std::size_t>* keep, std::atomic<bool>* spoilt) : keep_(keep), spoilt_(spoilt) {}

  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    held_.insert(held_.end(), batch.begin(), batch.end());
    if (held_.size() < *keep_) return batch.size();
    for (const OutboundMessage* message : held_) {
      const std::string_view body = message->body();
      if (body.find_first_not_of(body.front()) != std::string_view::npos) *spoilt_ = true;
    }
    for (const OutboundMessage* message : std::exchange(held_, {})) events.complete(*message, Outcome::persisted());
    return batch.size();
  }

 private:
  std::atomic<std::size_t>* const keep_;
  std::atomic<bool>* const spoilt_;
  std::vector<const OutboundMessage*> held_;
};

TriggerDispatcher* fired_at_the_end = nullptr;

/// Fires as its thread ends.
struct Goodbye {
  bool says_it = false;
  Goodbye() = default;
  Goodbye(const Goodbye&) = delete;
  Goodbye& operator=(const Goodbye&) = delete;
  ~Goodbye() {
    for (std::size_t i = 0; says_it && i < messages_a_round; ++i) fired_at_the_end->fire("a", "b");
  }
};
thread_local Goodbye goodbye;

TEST(PoolLifetimeTest, WhatAnEndingThreadFiredLeavesNoShortBlockToOthers) {
  EXPECT_EQ(trouble_in_child([] {
              std::atomic<std::size_t> keep{1};
              std::atomic<bool> spoilt{false};
              TriggerDispatcher dispatcher(config_of({"a"}), registry_of<KeepingBroker>(&keep, &spoilt));
              fired_at_the_end = &dispatcher;
              for (int round = 0; round < 8; ++round) {
                std::thread([&] {
                  goodbye.says_it = true;  // made before the thread's first fire, and so ends after what that made
                  dispatcher.fire("a", "f");
                }).join();
                ACTION_TRIGGERS_CHILD_EXPECT(dispatcher.flush(60s));
                keep = messages_a_round;
                std::thread([&] {
                  for (std::size_t i = 0; i < messages_a_round; ++i) {
                    dispatcher.fire("a", std::string(200, static_cast<char>('a' + i % 26)));
                  }
                }).join();
                ACTION_TRIGGERS_CHILD_EXPECT(dispatcher.flush(60s));
                keep = 1;
              }
              ACTION_TRIGGERS_CHILD_EXPECT(!spoilt);
            }),
            "");
}

/// A pool of threads that has not begun with its tasks.
class LatePool {
 public:
  [[nodiscard]] std::function<void(std::function<void()>)> executor() {
    return [this](std::function<void()> task) {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    };
  }
  void run() {
    for (const auto& task : std::exchange(tasks_, {})) task();
  }

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;
};

TEST(PoolLifetimeTest, TasksOfAnExecutorMayRunWhenTheDispatcherIsGone) {
  LatePool pool;
  std::vector<StatusCode> called;
  std::vector<StatusCode> failures;
  const auto alive = std::make_shared<int>();
  const std::weak_ptr<int> on_failure_is_alive = alive;
  auto memory = std::make_shared<InMemoryBroker>();
  memory->unroutable_next();
  {
    DispatcherOptions options;
    options.executor = pool.executor();
    options.on_failure = [&failures, kept = alive](const DeliveryReport& report) {
      failures.push_back(report.status.code());
    };
    TriggerDispatcher dispatcher(config_of({"a"}), registry_of(memory->maker()), std::move(options));
    dispatcher.fire("a", "x", [&](const DeliveryReport& report) { called.push_back(report.status.code()); });
    ASSERT_TRUE(dispatcher.flush(60s));
  }
  ASSERT_GT(on_failure_is_alive.use_count(), 1) << "a task is to call it and it is gone";
  pool.run();
  EXPECT_THAT(called, ::testing::ElementsAre(StatusCode::unroutable));
  EXPECT_THAT(failures, ::testing::ElementsAre(StatusCode::unroutable));
  EXPECT_EQ(on_failure_is_alive.use_count(), 1) << "the last task takes it along";
}

TEST(PoolLifetimeTest, ACallbackInsideOfFireMayDestroyTheDispatcher) {
  EXPECT_EQ(trouble_in_child([] {
              auto alive = std::make_shared<int>();
              const std::weak_ptr<int> on_failure_is_alive = alive;
              int failures = 0;
              DispatcherOptions options;
              options.on_failure = [&failures, kept = std::move(alive)](const DeliveryReport&) { ++failures; };
              auto memory = std::make_shared<InMemoryBroker>();
              auto dispatcher = std::make_unique<TriggerDispatcher>(config_of({"a"}), registry_of(memory->maker()),
                                                                    std::move(options));
              const Delivery delivery = dispatcher->fire("nobody", "x", [&](const DeliveryReport&) {
                dispatcher.reset();
                // It is called next.
                ACTION_TRIGGERS_CHILD_EXPECT(!on_failure_is_alive.expired());
              });
              ACTION_TRIGGERS_CHILD_EXPECT(delivery.done());
              ACTION_TRIGGERS_CHILD_EXPECT(failures == 1);
            }),
            "");
}

}  // namespace
}  // namespace action_triggers
