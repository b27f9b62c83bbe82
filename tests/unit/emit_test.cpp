// SPDX-License-Identifier: MIT
// TriggerDispatcher::emit(): from an event to the messages at its targets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "support/bodies.hpp"
#include "support/registries.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EmitTest : public ::testing::Test {
 protected:
  /// Brokers a, b and c, and these triggers.
  void make(const std::string& triggers, DispatcherOptions options = {}) {
    Config config = parse_config(R"({"brokers": {"a": {"broker_type": "subject"}, "b": {"broker_type": "subject"},
                                                 "c": {"broker_type": "subject"}},
                                     "triggers": )" +
                                     triggers + "}",
                                 registry_);
    dispatcher_ = std::make_unique<TriggerDispatcher>(std::move(config), registry_, std::move(options));
  }
  std::vector<Message> at(std::string_view broker) { return memory_->messages(broker); }
  std::vector<std::string> bodies_at(std::string_view broker) { return tests::bodies_at(*memory_, broker); }

  const std::shared_ptr<InMemoryBroker> memory_ = std::make_shared<InMemoryBroker>();
  const BrokerRegistry registry_ = tests::registry_of(memory_->maker());
  std::unique_ptr<TriggerDispatcher> dispatcher_;
};

TEST_F(EmitTest, GoesToAllTargetsInTheOrderOfTheFile) {
  make(
      R"({"second": {"events": ["order.*"], "targets": ["b", "c"]}, "first": {"events": ["order.paid"], "targets": ["a"]}})");
  const Emission emission = dispatcher_->emit("order.paid", R"({"id": 1})");
  ASSERT_EQ(emission.size(), 3U);
  std::vector<std::string> reached;
  for (const DeliveryReport& report : emission.wait()) {
    EXPECT_TRUE(report.status.ok()) << report;
    EXPECT_EQ(report.message_id, emission[0].wait().message_id) << "one event, one id";
    reached.push_back(report.trigger + ">" + report.broker);
  }
  EXPECT_THAT(reached, ElementsAre("second>b", "second>c", "first>a"));
  EXPECT_TRUE(emission.all_ok());
  EXPECT_TRUE(emission.done());
  for (const char* broker : {"a", "b", "c"}) EXPECT_THAT(bodies_at(broker), ElementsAre(R"({"id": 1})"));
}

TEST_F(EmitTest, AnEventThatNothingMatchesIsCountedAndLoggedOnce) {
  std::vector<std::string> log;
  DispatcherOptions options;
  options.log = [&](LogLevel, std::string_view, std::string_view text) { log.emplace_back(text); };
  make(
      R"({"t": {"events": ["order.paid"], "targets": ["a"]}, "off": {"events": ["order.#"], "active": false, "targets": ["b"]}})",
      std::move(options));
  const Emission emission = dispatcher_->emit("order.created", "{}");
  EXPECT_TRUE(emission.empty());
  EXPECT_TRUE(emission.done());
  EXPECT_TRUE(emission.wait_for(0s));
  EXPECT_TRUE(emission.all_ok());
  EXPECT_TRUE(dispatcher_->emit("order.created", "{}").empty());
  EXPECT_EQ(dispatcher_->stats().unmatched_events, 2U);
  EXPECT_THAT(log, ElementsAre("no active trigger is for the event 'order.created'"));
}

TEST_F(EmitTest, WithoutTriggersNothingMatches) {
  make("{}");
  EXPECT_TRUE(dispatcher_->emit("a", "{}").empty());
  EXPECT_EQ(dispatcher_->stats().unmatched_events, 1U);
}

TEST_F(EmitTest, ConditionsOfTriggersAndTargets) {
  make(R"({"paid": {"events": ["order"], "when": {"status": ["paid"]},
                    "targets": ["a", {"broker": "b", "when": {"total": [{"numeric": [">=", 100]}]}}]}})");
  EXPECT_EQ(dispatcher_->emit("order", R"({"status": "new", "total": 500})").size(), 0U);
  EXPECT_TRUE(dispatcher_->emit("order", R"({"status": "paid", "total": 99.99})").all_ok());
  EXPECT_TRUE(dispatcher_->emit("order", R"({"status": "paid", "total": 100.00})").all_ok());
  EXPECT_EQ(at("a").size(), 2U);
  EXPECT_THAT(bodies_at("b"), ElementsAre(R"({"status": "paid", "total": 100.00})"));
  const TriggerStats stats = dispatcher_->stats().triggers.at("paid");
  EXPECT_EQ(stats.matched, 2U);
  EXPECT_EQ(stats.filtered, 1U);
  EXPECT_EQ(stats.sent, 3U);
  EXPECT_EQ(stats.failed, 0U);
  EXPECT_EQ(dispatcher_->stats().unmatched_events, 0U);
}

/// Ten triggers: which of them an event's status is for is looked up, not tried out.
std::string triggers_by_status() {
  std::string triggers = R"("all": {"events": ["order", "order.#"], "targets": ["c"]})";
  for (int i = 0; i < 10; ++i) {
    const std::string number = std::to_string(i);
    triggers += R"(, "t)" + number + R"(": {"events": ["order"], "targets": [")" + (i % 2 == 0 ? "a" : "b") +
                R"("], "when": {"status": ["s)" + number + R"(", "any"], "total": [{"numeric": [">", 0]}]}})";
  }
  return "{" + triggers + "}";
}

TEST_F(EmitTest, TriggersAreSelectedByAStringOfThePayloadAndAllAreCounted) {
  make(triggers_by_status());
  EXPECT_EQ(dispatcher_->emit("order", R"({"status": "s3", "total": 1})").wait().size(), 2U);
  EXPECT_EQ(dispatcher_->emit("order", R"({"status": "s3", "total": 0})").wait().size(), 1U);
  EXPECT_EQ(dispatcher_->emit("order", R"({"status": ["any", "s3"], "total": 1})").wait().size(), 11U);
  EXPECT_EQ(dispatcher_->emit("order", R"({"status": "none"})").wait().size(), 1U);
  EXPECT_EQ(dispatcher_->emit("order.paid", "no JSON").wait().size(), 1U) << "nobody looks into it";
  const Emission failed = dispatcher_->emit("order", "no JSON");
  ASSERT_EQ(failed.wait().size(), 11U);
  EXPECT_TRUE(failed[0].wait().status.ok());
  EXPECT_THAT(failed[4].wait().status.message(), HasSubstr("trigger 't3', target 0, when: The payload is not JSON"));
  const Stats stats = dispatcher_->stats();
  EXPECT_EQ(stats.unmatched_events, 0U);
  EXPECT_EQ(stats.triggers.at("all").matched, 6U);
  EXPECT_EQ(stats.triggers.at("all").filtered, 0U);
  EXPECT_EQ(stats.triggers.at("t3").matched, 3U);
  EXPECT_EQ(stats.triggers.at("t3").filtered, 2U);
  EXPECT_EQ(stats.triggers.at("t4").matched, 2U);
  EXPECT_EQ(stats.triggers.at("t4").filtered, 3U);
}

TEST_F(EmitTest, AnEventThatSelectsNoTriggerIsFilteredAndNotUnmatched) {
  make(R"({"t": {"events": ["e"], "when": {"a": ["1"]}, "targets": ["a"]},
           "u": {"events": ["e"], "when": {"a": ["2"]}, "targets": ["a"]},
           "v": {"events": ["e"], "when": {"a": ["3"]}, "targets": ["a"]},
           "w": {"events": ["e"], "when": {"a": ["4"]}, "targets": ["a"]}})");
  EXPECT_TRUE(dispatcher_->emit("e", R"({"a": "5"})").empty());
  EXPECT_EQ(dispatcher_->stats().unmatched_events, 0U);
  EXPECT_EQ(dispatcher_->stats().triggers.at("w").filtered, 1U);
}

TEST_F(EmitTest, ATargetShapesItsMessage) {
  make(R"({"t": {"events": ["order.paid"], "targets": [
            {"broker": "a", "body": {"id": "{{ /id }}", "text": "Order {{ /id }} of {{ /name:-a customer }}"},
             "key": "order-{{ /id }}", "content_type": "application/json",
             "headers": {"event": "{{ event.name }}", "tenant": "t-1", "version": 2}}, "b"]}})");
  Message message{.body = R"({"id": 42})", .key = "k", .headers = {{"tenant", "old"}, {"other", "kept"}}};
  ASSERT_TRUE(dispatcher_->emit("order.paid", message).all_ok());
  const Message shaped = at("a").at(0);
  EXPECT_EQ(shaped.body, R"({"id":42,"text":"Order 42 of a customer"})");
  EXPECT_EQ(shaped.key, "order-42");
  EXPECT_EQ(shaped.content_type, "application/json");
  EXPECT_THAT(shaped.headers, ElementsAre(Header{"other", "kept"}, Header{"event", "order.paid"},
                                          Header{"tenant", "t-1"}, Header::integer("version", 2)));
  message.id = at("b").at(0).id;
  EXPECT_EQ(at("b").at(0), message) << "as it was emitted";
  EXPECT_EQ(shaped.id, message.id);
}

TEST_F(EmitTest, AMessageThatCannotBeMadeFailsItsTargetOnly) {
  std::vector<std::string> failures;
  DispatcherOptions options;
  options.on_failure = [&](const DeliveryReport& report, const MessageView& message) {
    failures.push_back(report.broker + ": " + std::string(message.body()));
  };
  make(R"({"t": {"events": ["e"], "targets": ["a", {"broker": "b", "key": "{{ /key }}"}, "c"]}})", std::move(options));
  const Emission emission = dispatcher_->emit("e", "{}");
  ASSERT_EQ(emission.size(), 3U);
  EXPECT_FALSE(emission.all_ok());
  EXPECT_TRUE(emission[0].wait().status.ok());
  EXPECT_TRUE(emission[2].wait().status.ok());
  const DeliveryReport& report = emission[1].wait();
  EXPECT_EQ(report.status.code(), StatusCode::invalid_argument);
  EXPECT_THAT(report.status.message(), HasSubstr("trigger 't', target 1, key: "));
  EXPECT_THAT(report.status.message(), HasSubstr("/key"));
  EXPECT_EQ(report.persistence, Persistence::not_persisted);
  EXPECT_EQ(report.broker, "b");
  EXPECT_EQ(report.trigger, "t");
  EXPECT_EQ(report.message_id, emission[0].wait().message_id);
  EXPECT_THAT(at("b"), IsEmpty());
  EXPECT_THAT(failures, ElementsAre("b: {}"));
  const TriggerStats stats = dispatcher_->stats().triggers.at("t");
  EXPECT_EQ(stats.matched, 1U);
  EXPECT_EQ(stats.sent, 2U);
  EXPECT_EQ(stats.failed, 1U);
  EXPECT_THAT(stats.last_error, HasSubstr("/key"));
}

TEST_F(EmitTest, WhatIsNoJsonFailsWhereSomebodyLooksIntoIt) {
  make(
      R"({"looks": {"events": ["e"], "when": {"a": [1]}, "targets": ["a"]}, "passes": {"events": ["e"], "targets": ["b"]}})");
  const Emission emission = dispatcher_->emit("e", R"({"a": 1,})");
  ASSERT_EQ(emission.size(), 2U);
  EXPECT_EQ(emission[0].wait().status.code(), StatusCode::invalid_argument);
  EXPECT_THAT(emission[0].wait().status.message(),
              HasSubstr("trigger 'looks', target 0, when: The payload is not JSON at byte 8"));
  EXPECT_TRUE(emission[1].wait().status.ok());
  EXPECT_THAT(bodies_at("b"), ElementsAre(R"({"a": 1,})"));
}

TEST_F(EmitTest, EachTargetsReportIsCalledBack) {
  make(R"({"t": {"events": ["e"], "targets": ["a", {"broker": "b", "key": "{{ /none }}"}]}})");
  std::mutex mutex;  // one is reported inside emit(), the other one on its lane
  std::vector<std::string> reported;
  dispatcher_->emit("e", "{}", [&](const DeliveryReport& report) {
    const std::lock_guard lock(mutex);
    reported.push_back(report.broker + " " + std::string(to_string(report.status.code())));
  });
  ASSERT_TRUE(dispatcher_->flush(1min));
  EXPECT_THAT(reported, ::testing::UnorderedElementsAre("a ok", "b invalid_argument"));
}

TEST_F(EmitTest, ACallbackMayEmit) {
  make(
      R"({"t": {"events": ["e"], "targets": [{"broker": "a", "key": "{{ /none }}"}, "b"]}, "u": {"events": ["again"], "when": {"n": [1]}, "targets": ["c"]}})");
  const Emission emission = dispatcher_->emit("e", "{}", [&](const DeliveryReport& report) {
    if (!report.status.ok())
      dispatcher_->emit("again", R"({"n": 1})");  // inside emit(): a refused target is reported at once
  });
  emission.wait();
  ASSERT_TRUE(dispatcher_->flush(1min));
  EXPECT_THAT(bodies_at("b"), ElementsAre("{}"));
  EXPECT_THAT(bodies_at("c"), ElementsAre(R"({"n": 1})"));
}

/// What a thread emits with is freed when it ends, and destructors of its objects may come later: of a session, or, on
/// the main thread, of whatever is static.
TEST_F(EmitTest, AThreadMayEmitWhileItEnds) {
  make(
      R"({"t": {"events": ["#.ends", "begins"], "when": {"n": [1]}, "targets": [{"broker": "a", "key": "{{ /n }}"}]}})");
  struct Session {
    ~Session() {
      for (int i = 0; i < 3; ++i) sent += dispatcher->emit("thread.ends", R"({"list": [1, 2, 3, 4], "n": 1})").size();
    }
    TriggerDispatcher* dispatcher;
    std::atomic<std::size_t>& sent;
  };
  std::atomic<std::size_t> sent{0};
  std::thread([&] {
    static thread_local Session session{dispatcher_.get(), sent};
    dispatcher_->emit("begins", R"({"n": 1})");
    dispatcher_->emit("another.ends", R"({"n": 1})");
  }).join();
  EXPECT_EQ(sent, 3U);
  ASSERT_TRUE(dispatcher_->flush(1min));
  EXPECT_EQ(bodies_at("a").size(), 5U);
}

TEST_F(EmitTest, ABodyOfTheTargetsOwnIsNoTombstoneAndNotEncodedAsTheGivenOneWas) {
  make(R"({"t": {"events": ["e"], "targets": [{"broker": "a", "body": {"gone": "{{ message.key }}"}}, "b"]}})");
  const Properties given{.type = "order.gone", .content_encoding = "gzip", .tombstone = true};
  EXPECT_TRUE(dispatcher_->emit("e", Message{.key = "42", .properties = given}).all_ok());
  const Message shaped = memory_->messages("a").at(0);
  EXPECT_EQ(shaped.body, R"({"gone":"42"})");
  EXPECT_EQ(*shaped.properties, (Properties{.type = "order.gone"}));
  EXPECT_EQ(*memory_->messages("b").at(0).properties, given);
}

TEST_F(EmitTest, ParamsOfATargetAreADestinationOfTheirOwnOnTheSameLane) {
  make(
      R"({"t": {"events": ["e"], "targets": ["a", {"broker": "a", "timeout_secs": 5}, {"broker": "a", "timeout_secs": 5}]}})");
  const Emission emission = dispatcher_->emit("e", "x");
  ASSERT_TRUE(emission.all_ok());
  for (const DeliveryReport& report : emission) EXPECT_EQ(report.broker, "a");
  const Stats stats = dispatcher_->stats();
  EXPECT_EQ(stats.brokers.size(), 3U);
  EXPECT_EQ(stats.brokers.at("a").delivered, 3U) << "its variations count for it";
  EXPECT_EQ(stats.lanes, 1U) << "no further connection";
}

TEST_F(EmitTest, AfterCloseEachTargetIsClosed) {
  make(R"({"t": {"events": ["e"], "targets": ["a", "b"]}})");
  dispatcher_->close(1min);
  const Emission emission = dispatcher_->emit("e", "x");
  ASSERT_EQ(emission.size(), 2U);
  for (const DeliveryReport& report : emission) EXPECT_EQ(report.status.code(), StatusCode::closed);
}

TEST_F(EmitTest, AnEmissionOfManyTargetsCanBeCopiedAndMoved) {
  make(R"({"t": {"events": ["e"], "targets": ["a", "b", "c", "a", "b", "c"]}})");
  Emission emission = dispatcher_->emit("e", "x");
  const Emission copy = emission;
  const Emission moved = std::move(emission);
  EXPECT_TRUE(emission.empty());  // NOLINT(bugprone-use-after-move): it says so
  ASSERT_EQ(moved.size(), 6U);
  EXPECT_TRUE(copy.all_ok());
  EXPECT_EQ(copy[5].wait().broker, "c");
  std::size_t reports = 0;
  for (const DeliveryReport& report : dispatcher_->emit("e", "y").wait()) reports += report.status.ok() ? 1U : 0U;
  EXPECT_EQ(reports, 6U);
}

TEST_F(EmitTest, AConfigurationThatLacksATargetsBrokerIsRefused) {
  Config config = parse_config(R"({"brokers": {"a": {"broker_type": "subject"}},
                                   "triggers": {"t": {"events": ["e"], "targets": ["a"]}}})",
                               registry_);
  config.brokers.clear();
  EXPECT_THROW(TriggerDispatcher(config, registry_), std::invalid_argument);
}

}  // namespace
}  // namespace action_triggers
