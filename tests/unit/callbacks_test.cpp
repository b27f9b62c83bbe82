// SPDX-License-Identifier: MIT
// Callbacks, on_failure and the executor: where they run, and what they may do there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/callback_scope.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "support/dispatcher_test.hpp"
#include "support/gate.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::SizeIs;
using tests::hearing_failures;

class CallbacksTest : public tests::DispatcherTest {};

TEST_F(CallbacksTest, CallbacksRunOnceOnTheLanesThread) {
  auto& dispatcher = make({"a"});
  std::atomic<int> calls{0};
  std::thread::id where;
  static_cast<void>(dispatcher.fire("a", "x", [&](const DeliveryReport& report) {
    EXPECT_THAT(report, IsOk());
    where = std::this_thread::get_id();
    ++calls;
  }));
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_EQ(calls, 1);
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST_F(CallbacksTest, ACallbackMayWaitForAnotherDispatcher) {
  const auto other_memory = std::make_shared<InMemoryBroker>();
  other_memory->set_delay(5ms);
  TriggerDispatcher other(tests::config_of({"b"},
                                           [](BrokerConfig& config) {
                                             config.overflow = Overflow::block;
                                             config.max_block = 30s;
                                             config.max_queued_messages = 1;
                                           }),
                          tests::registry_of(other_memory->maker()), {});
  std::atomic<int> passed{0};
  const Delivery fired = make({"a"}).fire("a", "x", [&](const DeliveryReport&) {
    other.fire("b", "1");
    const Delivery second = other.fire("b", "2");  // blocks until the first is confirmed
    EXPECT_THAT(second.wait(), IsOk());
    EXPECT_TRUE(other.flush(30s));
    EXPECT_THROW(dispatcher_->flush(1s), std::logic_error) << "but not for its own";
    ++passed;
  });
  ASSERT_TRUE(dispatcher_->flush(30s));
  EXPECT_EQ(passed, 1);
}

TEST_F(CallbacksTest, OnFailureHearsOfForgottenFires) {
  std::mutex mutex;
  std::vector<DeliveryReport> failures;
  auto& dispatcher = make({"a"}, {}, hearing_failures([&](const DeliveryReport& report) {
                            const std::lock_guard lock(mutex);
                            failures.push_back(report);
                          }));
  memory_->unroutable_next();
  dispatcher.fire("a", "lost");
  dispatcher.fire("a", "kept");
  ASSERT_TRUE(dispatcher.flush(30s));
  const std::lock_guard lock(mutex);
  ASSERT_THAT(failures, SizeIs(1));
  EXPECT_THAT(failures[0], HasCode(StatusCode::unroutable));
  EXPECT_EQ(failures[0].message_id.size(), 36U);
}

/// What a program would save of failures, to fire it again later.
struct Saved {
  std::mutex mutex;
  std::vector<Message> messages;
  std::vector<DeliveryReport> reports;

  DispatcherOptions options() {
    DispatcherOptions options;
    options.on_failure = [this](const DeliveryReport& report, const MessageView& message) {
      const std::lock_guard lock(mutex);
      messages.push_back(message.copy());
      reports.push_back(report);
    };
    return options;
  }
};

Message whole_message(const std::string& id) {
  return {.body = "body of " + id,
          .key = "key",
          .headers = {{"a", "1"}, {"a", "2"}},
          .content_type = "text/plain",
          .id = id,
          .expiration = 5s,
          .priority = std::uint8_t{3}};
}

TEST_F(CallbacksTest, OnFailureGetsTheMessageOfEveryKindOfFailure) {
  Saved saved;
  auto& dispatcher = make(
      {"a", "full", "small"},
      [](BrokerConfig& config) {
        if (config.name == "full") config.max_queued_messages = 1;
        if (config.name == "small") config.max_queued_bytes = 10;
        if (config.name == "a") config.timeout = 1s;
      },
      saved.options());
  std::vector<Message> fired;
  const auto fire = [&](const char* destination, const std::string& id) {
    fired.push_back(whole_message(id));
    return dispatcher.fire(destination, fired.back());
  };
  memory_->unroutable_next();
  EXPECT_THAT(fire("a", "1").wait(), HasCode(StatusCode::unroutable));
  EXPECT_THAT(fire("nobody", "2").wait(), HasCode(StatusCode::not_found));
  EXPECT_THAT(fire("small", "3").wait(), HasCode(StatusCode::too_large));
  memory_->hold();
  EXPECT_THAT(fire("a", "4").wait(), HasCode(StatusCode::timed_out));
  dispatcher.fire("full", "takes the capacity");
  EXPECT_THAT(fire("full", "5").wait(), HasCode(StatusCode::queue_full));
  dispatcher.close(0ms);
  EXPECT_THAT(fire("a", "6").wait(), HasCode(StatusCode::closed));

  const std::lock_guard lock(saved.mutex);
  ASSERT_THAT(saved.messages, SizeIs(fired.size() + 1));
  const auto other = std::find_if(saved.messages.begin(), saved.messages.end(),
                                  [](const Message& message) { return message.body == "takes the capacity"; });
  ASSERT_NE(other, saved.messages.end());
  EXPECT_EQ(other->id.size(), 36U);
  saved.messages.erase(other);
  EXPECT_THAT(saved.messages, ::testing::UnorderedElementsAreArray(fired)) << "on_failure runs on two threads here";
}

TEST_F(CallbacksTest, EveryFailureHasTheIdOfItsMessage) {
  Saved saved;
  auto& dispatcher = make(
      {"a"}, [](BrokerConfig& config) { config.max_queued_messages = 1; }, saved.options());
  dispatcher.fire("nobody", "not_found");
  memory_->hold();
  dispatcher.fire("a", "closed at the end");
  dispatcher.fire("a", "queue_full");
  dispatcher.close(0ms);
  dispatcher.fire("a", "closed");
  const std::lock_guard lock(saved.mutex);
  ASSERT_THAT(saved.reports, SizeIs(4));
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(saved.reports[i].message_id.size(), 36U) << saved.reports[i];
    EXPECT_EQ(saved.reports[i].message_id, saved.messages[i].id);
  }
}

TEST_F(CallbacksTest, OnAnExecutorTheMessageIsStillThereWhenTheDispatcherIsGone) {
  Saved saved;
  DispatcherOptions options = saved.options();
  std::mutex mutex;
  std::vector<std::function<void()>> tasks;
  options.executor = [&](std::function<void()> task) {
    const std::lock_guard lock(mutex);
    tasks.push_back(std::move(task));
  };
  auto& dispatcher = make({"a"}, {}, std::move(options));
  memory_->unroutable_next();
  dispatcher.fire("a", whole_message("1"));
  dispatcher.fire("nobody", whole_message("2"));
  ASSERT_TRUE(dispatcher.flush(30s));
  dispatcher_.reset();
  for (const auto& task : tasks) task();
  tasks.clear();
  EXPECT_THAT(saved.messages, ::testing::UnorderedElementsAre(whole_message("1"), whole_message("2")));
}

TEST_F(CallbacksTest, MayOwnWhatCanOnlyBeMoved) {
  auto& dispatcher = make({"a"});
  std::atomic<int> sum{0};
  const auto adding = [&sum](int number) {
    return [&sum, owned = std::make_unique<int>(number)](const DeliveryReport& report) mutable {
      EXPECT_THAT(report, IsOk());
      sum += *std::exchange(owned, nullptr);
    };
  };
  const std::vector<std::byte> bytes{std::byte{1}};
  dispatcher.fire("a", "text", adding(1));
  dispatcher.fire("a", Message{.body = "message"}, adding(10));
  dispatcher.fire("a", bytes, adding(100));
  CallbackScope scope;
  dispatcher.fire("a", "scoped", scope(adding(1'000)));
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_EQ(sum, 1'111);
}

TEST_F(CallbacksTest, WhatACallbackOwnsEndsWithItsMessage) {
  auto& dispatcher = make({"a"});
  const auto owned = std::make_shared<int>();
  struct MoveOnly {
    explicit MoveOnly(std::shared_ptr<int> given) : held(std::move(given)) {}
    MoveOnly(MoveOnly&&) = default;
    void operator()(const DeliveryReport&) {}
    std::shared_ptr<int> held;
  };
  dispatcher.fire("a", "x", MoveOnly(owned));
  dispatcher.fire("nowhere", "x", MoveOnly(owned));
  dispatcher_.reset();
  EXPECT_EQ(owned.use_count(), 1);
}

TEST_F(CallbacksTest, OnFailureMayOwnWhatCanOnlyBeMoved) {
  std::vector<std::string> lost;
  DispatcherOptions options;
  options.on_failure = [&lost, prefix = std::make_unique<std::string>("lost: ")](const DeliveryReport&,
                                                                                 const MessageView& message) {
    lost.push_back(*prefix + std::string(message.body()));
  };
  make({"a"}, {}, std::move(options)).fire("nowhere", "x");
  EXPECT_THAT(lost, ::testing::ElementsAre("lost: x"));
}

TEST(DeliveryCallbackTest, KnowsWhetherItIsEmpty) {
  EXPECT_FALSE(DeliveryCallback());
  EXPECT_FALSE(DeliveryCallback(nullptr));
  EXPECT_FALSE(DeliveryCallback(std::function<void(const DeliveryReport&)>()));
  EXPECT_FALSE(DeliveryCallback(static_cast<void (*)(const DeliveryReport&)>(nullptr)));
  EXPECT_TRUE(DeliveryCallback([](const DeliveryReport&) {}));
  EXPECT_TRUE(DeliveryCallback([owned = std::make_unique<int>()](const DeliveryReport&) {}));
  static_assert(sizeof(DeliveryCallback) == sizeof(std::function<void(const DeliveryReport&)>));
}

TEST(FailureCallbackTest, TakesFunctionsWithAndWithoutTheMessage) {
  EXPECT_FALSE(FailureCallback());
  EXPECT_FALSE(FailureCallback(nullptr));
  EXPECT_FALSE(FailureCallback(DeliveryCallback()));
  EXPECT_TRUE(FailureCallback([](const DeliveryReport&) {}));
  EXPECT_TRUE(FailureCallback([](const DeliveryReport&, const MessageView&) {}));
  EXPECT_TRUE(FailureCallback([](const auto&...) {}));
  EXPECT_TRUE(FailureCallback([calls = 0](const DeliveryReport&) mutable { return ++calls; }));
}

TEST_F(CallbacksTest, ExceptionsInCallbacksAreCaughtAndCounted) {
  auto& dispatcher = make({"a"}, {}, hearing_failures([](const DeliveryReport&) { throw 42; }));
  static_cast<void>(dispatcher.fire("a", "x", [](const DeliveryReport&) { throw std::runtime_error("oops"); }));
  memory_->unroutable_next(1, "a");
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_THAT(dispatcher.fire("nobody", "x").wait(), HasCode(StatusCode::not_found));
  EXPECT_GE(dispatcher.stats().callback_exceptions, 2U);
  EXPECT_THAT(dispatcher.fire("a", "still alive").wait_for(30s), ::testing::NotNull());
}

TEST_F(CallbacksTest, NothingHangsInACallback) {
  auto& dispatcher = make({"a"}, [](BrokerConfig& config) {
    config.max_queued_messages = 1;
    config.overflow = Overflow::block;
    config.max_block = 60s;
  });
  tests::Gate done;
  static_cast<void>(dispatcher.fire("a", "x", [&](const DeliveryReport&) {
    EXPECT_THROW(dispatcher.flush(1s), std::logic_error);
    EXPECT_THROW(dispatcher.close(1s), std::logic_error);
    const Delivery takes_the_room = dispatcher.fire("a", "y");
    EXPECT_FALSE(takes_the_room.done());
    // On any other thread this would block.
    const Delivery refused = dispatcher.fire("a", "z");
    ASSERT_TRUE(refused.done());
    EXPECT_THAT(refused.wait(), HasCode(StatusCode::queue_full));
    done.open();
  }));
  EXPECT_TRUE(done.wait());
}

TEST_F(CallbacksTest, WaitingInACallbackThrows) {
  auto& dispatcher = make({"a"});
  tests::Gate done;
  static_cast<void>(dispatcher.fire("a", "x", [&](const DeliveryReport&) {
    const Delivery other = dispatcher.fire("a", "y");
    EXPECT_THROW(static_cast<void>(other.wait()), std::logic_error);
    EXPECT_THROW(static_cast<void>(other.wait_for(1s)), std::logic_error);
    EXPECT_EQ(other.wait_for(0s), nullptr);
    done.open();
  }));
  EXPECT_TRUE(done.wait());
}

TEST_F(CallbacksTest, AnExecutorTakesCallbacksOffTheLane) {
  std::mutex mutex;
  std::vector<std::function<void()>> tasks;
  DispatcherOptions options;
  options.executor = [&](std::function<void()> task) {
    const std::lock_guard lock(mutex);
    tasks.push_back(std::move(task));
  };
  auto& dispatcher = make({"a"}, {}, std::move(options));
  int calls = 0;
  static_cast<void>(dispatcher.fire("a", "x", [&](const DeliveryReport& report) {
    EXPECT_THAT(report, IsOk());
    ++calls;
  }));
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_EQ(calls, 0);
  const std::lock_guard lock(mutex);
  ASSERT_THAT(tasks, SizeIs(1));
  tasks[0]();
  EXPECT_EQ(calls, 1);
}

TEST_F(CallbacksTest, ASlowCallbackIsCountedAndLogged) {
  std::mutex mutex;
  std::vector<std::string> log;
  DispatcherOptions options;
  options.slow_callback = 0ms;
  options.log = [&](LogLevel, std::string_view, std::string_view text) {
    const std::lock_guard lock(mutex);
    log.emplace_back(text);
  };
  auto& dispatcher = make({"a"}, {}, std::move(options));
  // How slow it is: several ticks of the clock that measures it.
  static_cast<void>(dispatcher.fire("a", "x", [](const DeliveryReport&) { std::this_thread::sleep_for(20ms); }));
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_EQ(dispatcher.stats().slow_callbacks, 1U);
  const std::lock_guard lock(mutex);
  EXPECT_THAT(log, ::testing::Contains(HasSubstr("a callback for 'a' took")));
}

TEST_F(CallbacksTest, MayBeDestroyedInItsOwnCallback) {
  BrokerRegistry registry;
  registry.add("subject", memory_->maker());
  auto dispatcher = std::make_unique<TriggerDispatcher>(tests::config_of({"a"}), registry);
  tests::Gate done;
  const Delivery delivery = dispatcher->fire("a", "x", [&](const DeliveryReport&) {
    dispatcher.reset();
    done.open();
  });
  EXPECT_TRUE(done.wait());
  EXPECT_THAT(delivery.wait(), IsOk());
}

}  // namespace
}  // namespace action_triggers
