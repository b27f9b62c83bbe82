// SPDX-License-Identifier: MIT
// Children of a process that has a dispatcher, and threads that wait for its outcomes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "action_triggers/memory.hpp"
#include "action_triggers/testing/in_memory_broker.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "support/child_process.hpp"
#include "support/registries.hpp"
#include "support/waiting_call.hpp"
#include "unit/configs.hpp"

#ifdef __SANITIZE_THREAD__
#define SKIP_UNDER_THREAD_SANITIZER() GTEST_SKIP() << "ThreadSanitizer starts no thread in a child of many threads"
#else
#define SKIP_UNDER_THREAD_SANITIZER()
#endif

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using tests::config_of;
using tests::registry_of;
using tests::trouble_in_child;
using tests::WaitingCall;

void own_connections(BrokerConfig& config) { config.connection_key = config.name; }

/// A child of fork() makes a dispatcher of its own, as docs/threading.md tells it to.
void use_a_dispatcher_of_its_own() {
  auto memory = std::make_shared<InMemoryBroker>();
  TriggerDispatcher own(config_of({"a", "b"}, own_connections), registry_of(memory->maker()));
  for (int i = 0; i < 200; ++i) {
    ACTION_TRIGGERS_CHILD_EXPECT(own.fire("a", "of the child").wait().status.ok());
    ACTION_TRIGGERS_CHILD_EXPECT(own.fire("b", "of the child").wait().status.ok());
  }
}

TEST(ForkWaitersTest, AChildMayDestroyADispatcherThatTheParentHadClosed) {
  for (int round = 0; round < 20; ++round) {
    auto memory = std::make_shared<InMemoryBroker>();
    std::optional<TriggerDispatcher> dispatcher;
    dispatcher.emplace(config_of({"a", "b"}, own_connections), registry_of(memory->maker()));
    ASSERT_THAT(dispatcher->fire("a", "x").wait(), testing::IsOk());
    dispatcher->close(60s);
    ASSERT_EQ(trouble_in_child([&] { dispatcher.reset(); }), "") << "round " << round;
  }
}

TEST(ForkWaitersTest, AChildThatDestroyedAClosedDispatcherMakesItsOwn) {
  SKIP_UNDER_THREAD_SANITIZER();
  for (int round = 0; round < 20; ++round) {
    auto memory = std::make_shared<InMemoryBroker>();
    std::optional<TriggerDispatcher> dispatcher;
    dispatcher.emplace(config_of({"a", "b"}, own_connections), registry_of(memory->maker()));
    ASSERT_THAT(dispatcher->fire("a", "x").wait(), testing::IsOk());
    dispatcher->close(60s);
    ASSERT_EQ(trouble_in_child([&] {
                dispatcher.reset();
                use_a_dispatcher_of_its_own();
              }),
              "")
        << "round " << round;
  }
}

class ForkWithWaitersTest : public ::testing::TestWithParam<int> {};

TEST_P(ForkWithWaitersTest, AChildsOwnDispatcherWorks) {
  SKIP_UNDER_THREAD_SANITIZER();
  auto memory = std::make_shared<InMemoryBroker>();
  memory->hold();
  TriggerDispatcher dispatcher(config_of({"a"}), registry_of(memory->maker()));
  std::vector<std::unique_ptr<WaitingCall>> waiters;
  for (int i = 0; i < GetParam(); ++i) {
    waiters.push_back(std::make_unique<WaitingCall>(
        [delivery = dispatcher.fire("a", "x")] { EXPECT_THAT(delivery.wait(), testing::IsOk()); }));
  }
  for (const auto& waiter : waiters) EXPECT_TRUE(waiter->waits());
  EXPECT_EQ(trouble_in_child(use_a_dispatcher_of_its_own, 20s), "");
  memory->release();
}

INSTANTIATE_TEST_SUITE_P(WhileTheParentsThreadsWait, ForkWithWaitersTest, ::testing::Values(1, 20));

TEST(ForkWaitersTest, AChildForkedInACallbackMayWait) {
  SKIP_UNDER_THREAD_SANITIZER();
  auto memory = std::make_shared<InMemoryBroker>();
  TriggerDispatcher dispatcher(config_of({"a"}), registry_of(memory->maker()));
  std::string trouble = "the callback was not called";
  dispatcher.fire("a", "x", [&](const DeliveryReport&) { trouble = trouble_in_child(use_a_dispatcher_of_its_own); });
  ASSERT_TRUE(dispatcher.flush(60s));
  EXPECT_EQ(trouble, "");
}

}  // namespace
}  // namespace action_triggers
