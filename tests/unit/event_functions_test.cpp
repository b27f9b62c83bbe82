// SPDX-License-Identifier: MIT
// TriggerDispatcher::on(): triggers that are functions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "action_triggers/commit_scope.hpp"
#include "support/bodies.hpp"
#include "support/gate.hpp"
#include "support/registries.hpp"
#include "support/waiting_call.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Messages = std::vector<AddressedMessage>;

class EventFunctionsTest : public ::testing::Test {
 protected:
  Config config_of(const std::string& triggers, const std::string& more_brokers = "") {
    return parse_config(R"({"brokers": {"a": {"broker_type": "subject"}, "b": {"broker_type": "subject"})" +
                            more_brokers + R"(}, "triggers": )" + triggers + "}",
                        registry_);
  }
  /// Brokers a and b, and these triggers.
  void make(const std::string& triggers = "{}", DispatcherOptions options = {}) {
    dispatcher_ = std::make_unique<TriggerDispatcher>(config_of(triggers), registry_, std::move(options));
  }
  std::vector<std::string> bodies_at(std::string_view broker) { return tests::bodies_at(*memory_, broker); }

  const std::shared_ptr<InMemoryBroker> memory_ = std::make_shared<InMemoryBroker>();
  const BrokerRegistry registry_ = tests::registry_of(memory_->maker());
  std::unique_ptr<TriggerDispatcher> dispatcher_;
};

Messages pass_on_to_a(const Event& event) { return {{"a", event.copy()}}; }

TEST_F(EventFunctionsTest, WhatTheyReturnIsSentAfterTheTriggersOfTheFile) {
  make(R"({"in_file": {"events": ["order.*"], "targets": ["b"]}})");
  dispatcher_->on("order.paid", [](const Event& event) -> Messages {
    return {{"a", {.body = "paid: " + std::string(event.payload), .key = "k"}}, {"b", event.copy()}};
  });
  dispatcher_->on("order.#", "second", pass_on_to_a);
  const Emission emission = dispatcher_->emit("order.paid", "{}");
  ASSERT_EQ(emission.size(), 4U);
  std::vector<std::string> reached;
  for (const DeliveryReport& report : emission.wait()) {
    EXPECT_TRUE(report.status.ok()) << report;
    EXPECT_EQ(report.message_id, emission[0].wait().message_id) << "one event, one id";
    reached.push_back(report.trigger + ">" + report.broker);
  }
  EXPECT_THAT(reached, ElementsAre("in_file>b", "order.paid>a", "order.paid>b", "second>a"));
  EXPECT_THAT(bodies_at("a"), ElementsAre("paid: {}", "{}"));
  EXPECT_EQ(memory_->messages("a").at(0).key, "k");
  const TriggerStats stats = dispatcher_->stats().triggers.at("order.paid");
  EXPECT_EQ(stats.matched, 1U);
  EXPECT_EQ(stats.sent, 2U);
  EXPECT_EQ(stats.failed, 0U);
}

TEST_F(EventFunctionsTest, SeeTheEventAndAllThatCameWithIt) {
  make();
  Message seen;
  const auto before = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  dispatcher_->on("#", [&](const Event& event) -> Messages {
    EXPECT_EQ(event.name, "e");
    EXPECT_GE(event.time, before);
    EXPECT_LE(event.time, std::chrono::system_clock::now());
    EXPECT_EQ(event.payload, "{}");
    EXPECT_EQ(event.message == nullptr ? "" : event.message->key, event.id == "id-7" ? "k" : "");
    seen = event.copy();
    EXPECT_EQ(seen.id, event.id);
    return {{"a", {.body = "no id"}}, {"a", {.body = "own id", .id = "other"}}};
  });
  const Message given{.body = "{}", .key = "k", .headers = {{"tenant", "t"}}, .id = "id-7", .priority = 3};
  EXPECT_TRUE(dispatcher_->emit("e", given).all_ok());
  EXPECT_EQ(seen, given);
  EXPECT_EQ(memory_->messages("a").at(0).id, "id-7");
  EXPECT_EQ(memory_->messages("a").at(1).id, "other");
  const Emission alone = dispatcher_->emit("e", "{}");
  EXPECT_TRUE(alone.all_ok());
  EXPECT_EQ(seen, (Message{.body = "{}", .id = alone[0].wait().message_id}));
}

TEST_F(EventFunctionsTest, AnExceptionIsAReportOfItsOwnAndNoneOfTheOthers) {
  std::vector<std::string> failures;
  DispatcherOptions options;
  options.on_failure = [&](const DeliveryReport& report, const MessageView& message) {
    failures.push_back(report.trigger + ": " + std::string(message.body()));
  };
  make(R"({"in_file": {"events": ["e"], "targets": ["b"]}})", std::move(options));
  dispatcher_->on("e", "throws", [](const Event& event) -> Messages {
    if (event.payload == "1") throw 1;
    throw std::runtime_error("no such tenant");
  });
  dispatcher_->on("e", "later", pass_on_to_a);
  std::vector<std::string> called_back;
  const Emission emission = dispatcher_->emit("e", "{}", [&](const DeliveryReport& report) {
    if (!report.status.ok()) called_back.push_back(report.trigger);  // inside emit()
  });
  ASSERT_EQ(emission.wait().size(), 3U);
  EXPECT_TRUE(emission[0].wait().status.ok());
  EXPECT_TRUE(emission[2].wait().status.ok());
  const DeliveryReport& report = emission[1].wait();
  EXPECT_EQ(report.status.code(), StatusCode::invalid_argument);
  EXPECT_EQ(report.status.message(), "the function 'throws' has thrown: no such tenant");
  EXPECT_EQ(report.persistence, Persistence::not_persisted);
  EXPECT_EQ(report.trigger, "throws");
  EXPECT_EQ(report.broker, "");
  EXPECT_EQ(report.message_id, emission[0].wait().message_id);
  EXPECT_THAT(called_back, ElementsAre("throws"));
  EXPECT_THAT(failures, ElementsAre("throws: {}"));
  EXPECT_EQ(dispatcher_->emit("e", "1")[1].wait().status.code(), StatusCode::invalid_argument);
  const TriggerStats stats = dispatcher_->stats().triggers.at("throws");
  EXPECT_EQ(stats.matched, 2U);
  EXPECT_EQ(stats.sent, 0U);
  EXPECT_EQ(stats.failed, 2U);
  EXPECT_THAT(stats.last_error, HasSubstr("'throws' has thrown: what is no std::exception"));
}

TEST_F(EventFunctionsTest, ADestinationThatThereIsNotIsNotFound) {
  make();
  dispatcher_->on("e", [](const Event& event) -> Messages { return {{"nowhere", event.copy()}, {"a", event.copy()}}; });
  const Emission emission = dispatcher_->emit("e", "{}");
  ASSERT_EQ(emission.wait().size(), 2U);
  EXPECT_EQ(emission[0].wait().status.code(), StatusCode::not_found);
  EXPECT_EQ(emission[0].wait().broker, "nowhere");
  EXPECT_EQ(emission[0].wait().trigger, "e");
  EXPECT_EQ(emission[0].wait().message_id, emission[1].wait().message_id);
  EXPECT_TRUE(emission[1].wait().status.ok());
  const Stats stats = dispatcher_->stats();
  EXPECT_EQ(stats.unknown_broker, 1U);
  EXPECT_EQ(stats.triggers.at("e").failed, 1U);
  EXPECT_THAT(stats.triggers.at("e").last_error, HasSubstr("nowhere: not_found"));
}

TEST_F(EventFunctionsTest, AnEventThatOneReturnsNothingForIsFilteredAndNotUnmatched) {
  make();
  dispatcher_->on("e.*", "none", [](const Event&) -> Messages { return {}; });
  EXPECT_TRUE(dispatcher_->emit("e.1", "{}").empty());
  EXPECT_TRUE(dispatcher_->emit("e", "{}").empty()) << "which it is not for";
  const Stats stats = dispatcher_->stats();
  EXPECT_EQ(stats.triggers.at("none").filtered, 1U);
  EXPECT_EQ(stats.triggers.at("none").matched, 0U);
  EXPECT_EQ(stats.unmatched_events, 1U);
}

TEST_F(EventFunctionsTest, StayAcrossAReload) {
  make(R"({"in_file": {"events": ["e"], "targets": ["b"]}})");
  dispatcher_->on("e", [](const Event& event) -> Messages { return {{"new", event.copy()}}; });
  EXPECT_EQ(dispatcher_->emit("e", "1")[1].wait().status.code(), StatusCode::not_found);
  dispatcher_->reload(config_of("{}", R"(, "new": {"broker_type": "subject"})"));
  EXPECT_TRUE(dispatcher_->emit("e", "2").all_ok());
  EXPECT_THAT(bodies_at("new"), ElementsAre("2"));
  EXPECT_EQ(dispatcher_->stats().triggers.at("e").matched, 2U);
}

TEST_F(EventFunctionsTest, OffEndsThem) {
  make();
  dispatcher_->on("e", "one", pass_on_to_a);
  dispatcher_->on("e", "two", pass_on_to_a);
  EXPECT_TRUE(dispatcher_->off("one"));
  EXPECT_FALSE(dispatcher_->off("one"));
  EXPECT_EQ(dispatcher_->emit("e", "1").wait().size(), 1U);
  EXPECT_TRUE(dispatcher_->off("two"));
  EXPECT_TRUE(dispatcher_->emit("e", "2").empty());
  dispatcher_->on("e", "two", pass_on_to_a);
  EXPECT_TRUE(dispatcher_->emit("e", "3").all_ok());
  EXPECT_THAT(bodies_at("a"), ElementsAre("1", "3"));
  EXPECT_EQ(dispatcher_->stats().triggers.at("two").matched, 2U) << "counts go on under a name";
}

/// What a std::invalid_argument says.
template <class Call>
std::string refused(Call&& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "not refused";
}

TEST_F(EventFunctionsTest, WhatCannotBeMeantIsRefused) {
  std::vector<std::string> log;
  DispatcherOptions options;
  options.log = [&](LogLevel, std::string_view, std::string_view text) { log.emplace_back(text); };
  make("{}", std::move(options));
  EXPECT_THAT(refused([&] { dispatcher_->on("", pass_on_to_a); }), HasSubstr("'#' is the one"));
  EXPECT_THAT(refused([&] { dispatcher_->on("e", nullptr); }), HasSubstr("'e' is empty"));
  EXPECT_THAT(refused([&] { dispatcher_->on("e", "", pass_on_to_a); }), HasSubstr("needs a name"));
  dispatcher_->on("e", pass_on_to_a);
  EXPECT_THAT(refused([&] { dispatcher_->on("e", pass_on_to_a); }), HasSubstr("'e' already; give on() another name"));
  EXPECT_EQ(dispatcher_->emit("e", "1").wait().size(), 1U);
  EXPECT_THAT(log, IsEmpty());
  dispatcher_->on("e*", pass_on_to_a);
  EXPECT_THAT(log, ElementsAre(HasSubstr("'*' in the word \"e*\" is an ordinary character")));
}

TEST_F(EventFunctionsTest, OneMayFireAndEmitAndChangeWhatThereIs) {
  make(R"({"in_file": {"events": ["inner"], "when": {"n": [1]}, "targets": ["b"]}})");
  const auto destroyed = std::make_shared<int>();
  dispatcher_->on("outer", "once", [&, kept = destroyed](const Event& event) -> Messages {
    EXPECT_NE(kept, nullptr);
    dispatcher_->fire("a", "fired");
    dispatcher_->emit("inner", R"({"n": 1})");
    EXPECT_TRUE(dispatcher_->off("once"));
    dispatcher_->on("outer", "next", pass_on_to_a);
    return {{"a", event.copy()}};
  });
  EXPECT_EQ(dispatcher_->emit("outer", "1").wait().size(), 1U) << "not the one that it has added";
  EXPECT_EQ(dispatcher_->emit("outer", "2").wait().size(), 1U);
  ASSERT_TRUE(dispatcher_->flush(1min));
  EXPECT_THAT(bodies_at("a"), ElementsAre("fired", "1", "2"));
  EXPECT_THAT(bodies_at("b"), ElementsAre(R"({"n": 1})"));
  EXPECT_TRUE(dispatcher_->off("next"));
  EXPECT_EQ(destroyed.use_count(), 1) << "by the change after it";
}

/// A reload waits for the function, and a message may wait for the reload.
TEST_F(EventFunctionsTest, OneMayNotWaitForAMessage) {
  make();
  Delivery fired;
  dispatcher_->on("e", "waits", [&](const Event&) -> Messages {
    fired = dispatcher_->fire("a", "x");
    EXPECT_THROW(static_cast<void>(dispatcher_->flush(1min)), std::logic_error);
    static_cast<void>(fired.wait());
    return {};
  });
  memory_->hold();
  const Emission emission = dispatcher_->emit("e", "{}");
  ASSERT_TRUE(emission.done());
  EXPECT_THAT(emission[0].wait().status.message(), HasSubstr("'waits' has thrown: Delivery::wait was called inside"));
  memory_->release();
  EXPECT_TRUE(fired.wait().status.ok());
}

TEST_F(EventFunctionsTest, OffWaitsForTheFunctionToEnd) {
  make();
  tests::Gate entered;
  tests::Gate door;
  dispatcher_->on("e", [&](const Event&) -> Messages {
    entered.open();
    door.wait();
    return {};
  });
  std::thread emits([&] { dispatcher_->emit("e", "{}"); });
  ASSERT_TRUE(entered.wait());
  tests::WaitingCall off([&] { EXPECT_TRUE(dispatcher_->off("e")); });
  EXPECT_TRUE(off.waits());
  door.open();
  off.join();
  emits.join();
}

TEST_F(EventFunctionsTest, ComeAndGoWhileThreadsEmit) {
  make(R"({"in_file": {"events": ["e"], "targets": ["b"]}})");
  std::atomic<bool> stop{false};
  std::atomic<int> emitted{0};
  std::atomic<int> running{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        dispatcher_->emit("e", "{}").wait();
        ++emitted;
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    const auto alive = std::make_unique<std::atomic<bool>>(true);
    dispatcher_->on("e", "f", [&running, is_alive = alive.get()](const Event&) -> Messages {
      ++running;
      EXPECT_TRUE(*is_alive);
      --running;
      return {};
    });
    dispatcher_->on("#", "g", pass_on_to_a);
    for (const int before = emitted; emitted == before;) std::this_thread::yield();
    EXPECT_TRUE(dispatcher_->off("f"));
    EXPECT_EQ(running, 0);
    *alive = false;
    EXPECT_TRUE(dispatcher_->off("g"));
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  const Stats stats = dispatcher_->stats();
  EXPECT_GT(stats.triggers.at("f").filtered, 0U);
  EXPECT_EQ(stats.triggers.at("g").matched, stats.triggers.at("g").sent);
}

TEST_F(EventFunctionsTest, InACommitScopeItsMessagesWaitForTheCommit) {
  make();
  dispatcher_->on("e", pass_on_to_a);
  CommitScope scope(*dispatcher_);
  scope.emit("e", "rolled back");
  scope.rollback();
  scope.emit("e", "committed");
  EXPECT_EQ(scope.size(), 1U);
  EXPECT_TRUE(dispatcher_->flush(1min));
  EXPECT_EQ(memory_->size(), 0U);
  scope.commit();
  EXPECT_TRUE(dispatcher_->flush(1min));
  ASSERT_EQ(memory_->size(), 1U);
  EXPECT_EQ(memory_->messages("a").front().body, "committed");
}

}  // namespace
}  // namespace action_triggers
