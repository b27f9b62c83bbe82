// SPDX-License-Identifier: MIT
// The outcome of a fire as a std::future, and for coroutines.
#include "action_triggers/async.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "action_triggers/json.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "support/child_process.hpp"
#include "support/dispatcher_test.hpp"
#include "support/gate.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using testing::HasCode;
using testing::IsOk;

class FutureTest : public tests::DispatcherTest {};

TEST_F(FutureTest, HasTheReportOfEveryKindOfPayload) {
  auto& dispatcher = make({"a"});
  const std::string body = "a string";
  EXPECT_THAT(fire_future(dispatcher, "a", "a literal").get(), IsOk());
  EXPECT_THAT(fire_future(dispatcher, "a", body).get(), IsOk());
  EXPECT_THAT(fire_future(dispatcher, "a", {.body = "a message", .key = "k"}).get(), IsOk());
  EXPECT_THAT(fire_future(dispatcher, "a", nlohmann::json{{"order", 42}}).get(), IsOk());
  const auto messages = memory_->messages("a");
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[1].body, body);
  EXPECT_EQ(messages[2].key, "k");
  EXPECT_EQ(messages[3].body, R"({"order":42})");
}

TEST_F(FutureTest, IsReadyWhenTheOutcomeIsKnown) {
  auto& dispatcher = make({"a"});
  memory_->hold();
  auto report = fire_future(dispatcher, "a", "x");
  EXPECT_EQ(report.wait_for(0s), std::future_status::timeout);
  memory_->release();
  EXPECT_THAT(report.get(), IsOk());
  EXPECT_THAT(fire_future(dispatcher, "nowhere", "x").get(), HasCode(StatusCode::not_found));
}

TEST_F(FutureTest, IsReadyAtTheEndOfTheDispatcher) {
  DispatcherOptions options;
  options.close_timeout = 0ms;
  auto& dispatcher = make({"a"}, {}, std::move(options));
  memory_->hold();
  auto report = fire_future(dispatcher, "a", "x");
  dispatcher_.reset();
  ASSERT_EQ(report.wait_for(0s), std::future_status::ready);
  EXPECT_THAT(report.get(), HasCode(StatusCode::closed));
}

TEST_F(FutureTest, InAChildOfForkItIsClosedAtOnce) {
  auto& dispatcher = make({"a"});
  EXPECT_EQ(tests::trouble_in_child([&] {
              auto report = fire_future(dispatcher, "a", "of the child");
              ACTION_TRIGGERS_CHILD_EXPECT(report.wait_for(0s) == std::future_status::ready);
              ACTION_TRIGGERS_CHILD_EXPECT(report.get().status.code() == StatusCode::closed);
            }),
            "");
}

/// A coroutine that nobody waits for. It runs until its first wait, and destroys itself at its end.
struct Task {
  struct promise_type {
    Task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
  std::coroutine_handle<promise_type> handle;
};

template <class F>
concept Awaitable = requires(F&& fired) {
  std::forward<F>(fired).operator co_await();
};
static_assert(Awaitable<FiredMessage&> && !Awaitable<FiredMessage>, "GCC 12 would destroy temporaries twice");
static_assert(Awaitable<EmittedEvent&> && !Awaitable<EmittedEvent>, "GCC 12 would destroy temporaries twice");

class CoroutineTest : public tests::DispatcherTest {
 protected:
  /// Fires, waits, and tells what came of it.
  Task fire(std::string destination, std::vector<DeliveryReport>* reports, tests::Gate* done) {
    FiredMessage fired = fire_async(*dispatcher_, destination, {.body = "x", .key = "k"});
    reports->push_back(co_await fired);
    where_ = std::this_thread::get_id();
    done->open();
  }

  std::vector<DeliveryReport> reports_;
  std::thread::id where_;
};

TEST_F(CoroutineTest, GoesOnOnTheLanesThreadWithTheReport) {
  make({"a"});
  memory_->hold();
  tests::Gate done;
  fire("a", &reports_, &done);
  EXPECT_FALSE(done.wait(0s));
  memory_->release();
  ASSERT_TRUE(done.wait(30s));
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_THAT(reports_[0], IsOk());
  EXPECT_NE(where_, std::this_thread::get_id());
}

TEST_F(CoroutineTest, GoesOnWhereTheExecutorTakesIt) {
  std::vector<std::function<void()>> tasks;
  tests::Gate posted;
  DispatcherOptions options;
  options.executor = [&](std::function<void()> task) {
    tasks.push_back(std::move(task));
    posted.open();
  };
  make({"a"}, {}, std::move(options));
  tests::Gate done;
  fire("a", &reports_, &done);
  ASSERT_TRUE(posted.wait(30s));
  EXPECT_TRUE(reports_.empty());
  tasks.at(0)();
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_THAT(reports_[0], IsOk());
  EXPECT_EQ(where_, std::this_thread::get_id());
}

TEST_F(CoroutineTest, DoesNotWaitForWhatIsKnown) {
  make({"a"});
  tests::Gate done;
  fire("nowhere", &reports_, &done);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_THAT(reports_[0], HasCode(StatusCode::not_found));
  EXPECT_EQ(where_, std::this_thread::get_id());
}

TEST_F(CoroutineTest, SeveralAreUnderWayBeforeTheFirstIsAwaited) {
  auto& dispatcher = make({"a"});
  tests::Gate done;
  const auto all = [&]() -> Task {
    std::vector<FiredMessage> fired;
    for (int i = 0; i < 1'000; ++i) fired.push_back(fire_async(dispatcher, "a", std::to_string(i)));
    for (FiredMessage& one : fired) reports_.push_back(co_await one);
    done.open();
  };
  all();
  ASSERT_TRUE(done.wait(30s));
  ASSERT_EQ(reports_.size(), 1'000U);
  for (const DeliveryReport& report : reports_) EXPECT_THAT(report, IsOk());
}

TEST_F(CoroutineTest, FiresAgainAndAgainOnTheLanesThread) {
  auto& dispatcher = make({"a"});
  tests::Gate done;
  const auto all = [&]() -> Task {
    for (int i = 0; i < 1'000; ++i) {
      FiredMessage fired = fire_async(dispatcher, "a", "x");
      reports_.push_back(co_await fired);
    }
    done.open();
  };
  all();
  ASSERT_TRUE(done.wait(30s));
  EXPECT_EQ(reports_.size(), 1'000U);
}

TEST_F(CoroutineTest, GoesOnAtTheEndOfTheDispatcher) {
  DispatcherOptions options;
  options.close_timeout = 0ms;
  make({"a"}, {}, std::move(options));
  memory_->hold();
  tests::Gate done;
  fire("a", &reports_, &done);
  dispatcher_.reset();
  ASSERT_TRUE(done.wait(0s));
  EXPECT_THAT(reports_.at(0), HasCode(StatusCode::closed));
}

TEST_F(CoroutineTest, OneThatIsDestroyedWhileItWaitsIsNotResumed) {
  auto& dispatcher = make({"a"});
  memory_->hold();
  tests::Gate done;
  const Task task = fire("a", &reports_, &done);
  task.handle.destroy();
  memory_->release();
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_FALSE(done.wait(0s));
  EXPECT_TRUE(reports_.empty());
  EXPECT_EQ(memory_->messages("a").size(), 1U) << "what was fired is delivered all the same";
}

TEST_F(CoroutineTest, InAChildOfForkItGoesOnAtOnce) {
  make({"a"});
  EXPECT_EQ(tests::trouble_in_child([&] {
              tests::Gate done;
              fire("a", &reports_, &done);
              ACTION_TRIGGERS_CHILD_EXPECT(done.wait(0s));
              ACTION_TRIGGERS_CHILD_EXPECT(reports_.at(0).status.code() == StatusCode::closed);
            }),
            "");
}

class EmittedEventTest : public tests::DispatcherTest {
 protected:
  /// The event "e" goes to these.
  TriggerDispatcher& make_for(std::vector<std::string> destinations) {
    auto& dispatcher = make({"a", "b"});
    dispatcher.on("e", [all = std::move(destinations)](const Event& event) {
      std::vector<AddressedMessage> messages;
      for (const std::string& destination : all) messages.push_back({destination, event.copy()});
      return messages;
    });
    return dispatcher;
  }
  Task emit(std::string event, tests::Gate* done) {
    EmittedEvent emitted = emit_async(*dispatcher_, event, {.body = "{}", .key = "k"});
    emission_ = co_await emitted;
    done->open();
  }
  [[nodiscard]] std::vector<StatusCode> codes() const {
    std::vector<StatusCode> all;
    for (const DeliveryReport& report : emission_) all.push_back(report.status.code());
    return all;
  }

  Emission emission_;
};

TEST_F(EmittedEventTest, IsThereWhenTheLastOutcomeIs) {
  make_for({"a", "nowhere", "b", "a"});
  memory_->hold();
  tests::Gate done;
  emit("e", &done);
  EXPECT_FALSE(done.wait(0s));
  memory_->release();
  ASSERT_TRUE(done.wait(30s));
  EXPECT_EQ(codes(), (std::vector{StatusCode::ok, StatusCode::not_found, StatusCode::ok, StatusCode::ok}));
}

TEST_F(EmittedEventTest, DoesNotWaitForWhatIsKnown) {
  make_for({"nowhere", "nowhere"});
  tests::Gate known;
  emit("e", &known);
  ASSERT_TRUE(known.wait(0s));
  EXPECT_EQ(codes(), (std::vector{StatusCode::not_found, StatusCode::not_found}));
  tests::Gate none;
  emit("another", &none);
  ASSERT_TRUE(none.wait(0s));
  EXPECT_TRUE(emission_.empty());
}

TEST_F(EmittedEventTest, OneThatIsDestroyedWhileItWaitsIsNotResumed) {
  auto& dispatcher = make_for({"a", "b"});
  memory_->hold();
  tests::Gate done;
  emit("e", &done).handle.destroy();
  memory_->release();
  ASSERT_TRUE(dispatcher.flush(30s));
  EXPECT_FALSE(done.wait(0s));
  EXPECT_EQ(memory_->size(), 2U) << "what was emitted is delivered all the same";
}

TEST_F(EmittedEventTest, ManyEndWhileTheyAreEmitted) {
  auto& dispatcher = make_for({"a", "b"});
  tests::Gate done;
  std::size_t ok = 0;
  const auto all = [&]() -> Task {
    for (int i = 0; i < 1'000; ++i) {
      EmittedEvent emitted = emit_async(dispatcher, "e", "{}");
      const Emission emission = co_await emitted;
      if (emission.size() == 2 && emission.all_ok()) ++ok;
    }
    done.open();
  };
  all();
  ASSERT_TRUE(done.wait(30s));
  EXPECT_EQ(ok, 1'000U);
}

}  // namespace
}  // namespace action_triggers
