// SPDX-License-Identifier: MIT
// CommitScope and triggers, configurations that change, and dispatchers that end before it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "support/child_process.hpp"
#include "support/registries.hpp"
#include "support/waiting_call.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::HasCode;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;

/// Its configurations come from text, as for reload().
class ScopeOfConfigTest : public ::testing::Test {
 protected:
  Config config_of(const std::string& brokers, const std::string& triggers = "{}") {
    return parse_config(R"({"brokers": {)" + brokers + R"(}, "triggers": )" + triggers + "}", registry_);
  }
  static std::string broker(const std::string& name, const std::string& connection = "1",
                            const std::string& params = "{}") {
    return "\"" + name + R"(": {"broker_type": "subject", "conn_details": {"host": ")" + connection +
           R"("}, "params": )" + params + "}";
  }
  void make(const std::string& brokers, const std::string& triggers = "{}", DispatcherOptions options = {}) {
    dispatcher_.emplace(config_of(brokers, triggers), registry_, std::move(options));
    scope_.emplace(*dispatcher_);
  }
  void reload(const std::string& brokers, const std::string& triggers = "{}") {
    dispatcher_->reload(config_of(brokers, triggers), 1min);
  }
  std::vector<std::string> bodies_at(std::string_view name) {
    if (dispatcher_) dispatcher_->flush(1min);
    std::vector<std::string> bodies;
    for (const Message& message : memory_->messages(name)) bodies.push_back(message.body);
    return bodies;
  }

  const std::shared_ptr<InMemoryBroker> memory_ = std::make_shared<InMemoryBroker>();
  const BrokerRegistry registry_ = tests::registry_of(memory_->maker());
  std::optional<TriggerDispatcher> dispatcher_;
  std::optional<CommitScope> scope_;
};

// ------------------------------------------------------------------------------------------------------------- events

TEST_F(ScopeOfConfigTest, AnEventIsEvaluatedAtOnceAndSentAtTheCommit) {
  make(broker("a") + "," + broker("b"),
       R"({"t": {"events": ["paid"], "when": {"total": [{"numeric": [">=", 100]}]},
                 "targets": ["a", {"broker": "b", "body": {"id": "{{ /id }}"}}, {"broker": "b", "key": "{{ /none }}"}]}})");
  const Emission emission = scope_->emit("paid", R"({"id": 1, "total": 100})");
  ASSERT_EQ(emission.size(), 3U);
  EXPECT_TRUE(emission[2].done()) << "refused at once";
  EXPECT_THAT(emission[2].wait(), HasCode(StatusCode::invalid_argument));
  EXPECT_FALSE(emission[0].done());
  EXPECT_TRUE(scope_->emit("paid", R"({"id": 2, "total": 99})").empty());
  EXPECT_EQ(scope_->size(), 2U);
  EXPECT_EQ(memory_->size(), 0U);
  scope_->commit();
  emission.wait();
  EXPECT_EQ(emission[0].wait().message_id, emission[1].wait().message_id);
  EXPECT_EQ(emission[1].wait().trigger, "t");
  EXPECT_THAT(bodies_at("b"), ElementsAre(R"({"id":1})"));
  EXPECT_EQ(dispatcher_->stats().triggers.at("t").sent, 2U);
}

TEST_F(ScopeOfConfigTest, AnEventThatIsRolledBackIsNoFailureOfItsTrigger) {
  make(broker("a") + "," + broker("b"), R"({"t": {"events": ["paid"], "targets": ["a", "b"]}})");
  const Emission emission = scope_->emit("paid", "{}");
  scope_->rollback();
  for (const DeliveryReport& report : emission) {
    EXPECT_THAT(report, HasCode(StatusCode::rolled_back));
    EXPECT_EQ(report.trigger, "t");
    EXPECT_EQ(report.message_id, emission[0].wait().message_id);
  }
  EXPECT_EQ(emission[1].wait().broker, "b");
  const TriggerStats stats = dispatcher_->stats().triggers.at("t");
  EXPECT_EQ(stats.matched, 1U);
  EXPECT_EQ(stats.sent, 0U);
  EXPECT_EQ(stats.failed, 0U);
  EXPECT_EQ(stats.last_error, "");
}

// ------------------------------------------------------------------------------------------------------------- reload

TEST_F(ScopeOfConfigTest, WhatAReloadChangesIsSentAsTheNewConfigurationSays) {
  make(broker("a") + "," + broker("b"));
  memory_->hold();
  dispatcher_->fire("a", "1");
  const Delivery held = scope_->fire("a", "3");
  scope_->fire("b", "other");
  reload(broker("a", "2") + "," + broker("b"));
  dispatcher_->fire("a", "2");  // waits for what the old one still has
  scope_->commit();
  dispatcher_->fire("a", "4");
  memory_->release();
  EXPECT_THAT(held.wait(), IsOk());
  EXPECT_THAT(bodies_at("a"), ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(bodies_at("b"), ElementsAre("other"));
}

/// Between the moment when the successor can be found and the one when its predecessor takes no more: a fire that waits
/// for capacity holds a reload there.
TEST_F(ScopeOfConfigTest, InTheMiddleOfAReloadACommitDoesNotOvertake) {
  const std::string full =
      broker("full", "9", R"({"max_queued_messages": 1, "overflow": "block", "max_block_ms": 60000})");
  make(broker("a") + "," + full);
  memory_->hold();
  scope_->fire("a", "2");
  dispatcher_->fire("full", "x");
  tests::WaitingCall waiting([&] { dispatcher_->fire("full", "y"); });
  ASSERT_TRUE(waiting.waits());
  tests::WaitingCall reloading([&] { reload(broker("a", "2") + "," + broker("new") + "," + full); });
  while (dispatcher_->stats().brokers.count("new") == 0) std::this_thread::yield();
  ASSERT_FALSE(reloading.returned());
  dispatcher_->fire("a", "1");
  scope_->commit();
  memory_->release();
  reloading.join();
  waiting.join();
  EXPECT_THAT(bodies_at("a"), ElementsAre("1", "2"));
}

TEST_F(ScopeOfConfigTest, AnOpenScopeHoldsUpNoSuccessor) {
  make(broker("a"));
  const Delivery held = scope_->fire("a", "held");
  for (const char* connection : {"2", "3", "4"}) {
    reload(broker("a", connection));
    EXPECT_THAT(dispatcher_->fire("a", connection).wait(), IsOk());
  }
  EXPECT_EQ(dispatcher_->stats().lanes, 1U);
  EXPECT_FALSE(held.done());
  scope_->commit();
  EXPECT_THAT(held.wait(), IsOk());
  EXPECT_THAT(bodies_at("a"), ElementsAre("2", "3", "4", "held"));
  const BrokerStats stats = dispatcher_->stats().brokers.at("a");
  EXPECT_EQ(stats.queued, 0U);
  EXPECT_EQ(stats.delivered, 4U);
  reload(broker("a", "5"));  // frees those before
}

TEST_F(ScopeOfConfigTest, OfWhatAReloadRemovesACommitReportsClosed) {
  int failures = 0;
  DispatcherOptions options;
  options.on_failure = [&](const DeliveryReport& report, const MessageView& message) {
    EXPECT_EQ(report.broker, "a");
    EXPECT_EQ(message.body(), "kept for on_failure");
    ++failures;
  };
  make(broker("a") + "," + broker("b"), "{}", std::move(options));
  const Delivery held = scope_->fire("a", "kept for on_failure");
  scope_->fire("b", "1");
  reload(broker("b"));
  scope_->commit();
  ASSERT_TRUE(held.done());
  EXPECT_THAT(held.wait(), HasCode(StatusCode::closed));
  EXPECT_THAT(held.wait().status.message(), HasSubstr("'a' was removed"));
  EXPECT_EQ(failures, 1);
  EXPECT_THAT(bodies_at("b"), ElementsAre("1"));
}

TEST_F(ScopeOfConfigTest, ARollbackAfterAReloadIsARollback) {
  make(broker("a") + "," + broker("b"));
  const Delivery of_a = scope_->fire("a", "1");
  const Delivery of_b = scope_->fire("b", "1");
  reload(broker("a", "2"));
  reload(broker("a", "3"));
  scope_->rollback();
  for (const Delivery& delivery : {of_a, of_b}) EXPECT_THAT(delivery.wait(), HasCode(StatusCode::rolled_back));
  EXPECT_EQ(of_b.wait().broker, "b");
  reload(broker("a", "4"));
  EXPECT_EQ(dispatcher_->stats().brokers.at("a").queued, 0U);
}

TEST_F(ScopeOfConfigTest, ADerivedDestinationIsSucceededByTheOneThatAddsTheSame) {
  const auto triggers = [](const char* timeout) {
    return R"({"t": {"events": ["e"], "targets": [{"broker": "a", "timeout_secs": )" + std::string(timeout) + "}]}}";
  };
  make(broker("a"), triggers("3"));
  const Emission same = scope_->emit("e", "1");
  reload(broker("a", "2"), triggers("3"));  // another connection
  scope_->commit();
  EXPECT_TRUE(same.all_ok());
  const Emission other = scope_->emit("e", "2");
  reload(broker("a", "2"), triggers("4"));  // another addition: what the message was made for is not there any more
  scope_->commit();
  EXPECT_THAT(other[0].wait(), HasCode(StatusCode::closed));
  EXPECT_EQ(other[0].wait().trigger, "t");
  EXPECT_THAT(bodies_at("a"), ElementsAre("1"));
}

/// Each scope's messages arrive once and in order, or are rolled back, whatever the configuration becomes.
TEST_F(ScopeOfConfigTest, ManyReloadsUnderScopes) {
  const auto brokers = [](int i) {
    return broker("a", std::to_string(i % 3)) + "," +
           broker("b", "1", R"({"timeout_secs": )" + std::to_string(20 + i % 2) + "}");
  };
  make(brokers(0));
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::vector<std::string>> committed(3);
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < committed.size(); ++thread) {
    threads.emplace_back([&, thread] {
      CommitScope scope(*dispatcher_);
      for (int i = 0; !stop; ++i) {
        std::vector<std::string> bodies;
        for (int message = 0; message < 4; ++message) {
          bodies.push_back(std::to_string(thread) + ":" + std::to_string(i) + ":" + std::to_string(message));
          const auto check = [&, rolls_back = i % 3 == 0](const DeliveryReport& report) {
            if (report.status.code() != (rolls_back ? StatusCode::rolled_back : StatusCode::ok)) ++wrong;
          };
          scope.fire("a", bodies.back(), check);
          scope.fire("b", bodies.back(), check);
        }
        if (i % 3 == 0) {
          scope.rollback();
        } else {
          scope.commit();
          committed[thread].insert(committed[thread].end(), bodies.begin(), bodies.end());
        }
        if (i % 50 == 0) dispatcher_->flush(1min);  // within capacity
      }
    });
  }
  for (int i = 1; i <= 100; ++i) reload(brokers(i));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(dispatcher_->flush(1min));
  EXPECT_EQ(wrong, 0);
  for (const char* name : {"a", "b"}) {
    std::vector<std::vector<std::string>> arrived(committed.size());
    for (std::string& body : bodies_at(name))
      arrived[static_cast<std::size_t>(body[0] - '0')].push_back(std::move(body));
    EXPECT_EQ(arrived, committed) << name;
  }
}

// -------------------------------------------------------------------------------------- close, the dispatcher's end

TEST_F(ScopeOfConfigTest, CloseDoesNotWaitForScopesAndCountsThem) {
  make(broker("a") + "," + broker("b"));
  const Delivery committed = scope_->fire("a", "1");
  const Delivery other = scope_->fire("b", "1");
  CommitScope rolled_back(*dispatcher_);
  const Delivery dropped = rolled_back.fire("a", "2");
  const CloseReport report = dispatcher_->close(1min);
  EXPECT_EQ(report.in_open_scopes, 3U);
  EXPECT_EQ(report.unfinished, 0U);
  EXPECT_EQ(report.abandoned, 0U);
  EXPECT_FALSE(report.complete());
  EXPECT_FALSE(committed.done());
  EXPECT_THAT(scope_->fire("a", "3").wait(), HasCode(StatusCode::closed));
  scope_->commit();
  EXPECT_THAT(committed.wait(), HasCode(StatusCode::closed));
  EXPECT_THAT(committed.wait().status.message(), HasSubstr("closed before the commit"));
  EXPECT_EQ(committed.wait().persistence, Persistence::not_persisted);
  EXPECT_THAT(other.wait(), HasCode(StatusCode::closed));
  rolled_back.rollback();
  EXPECT_THAT(dropped.wait(), HasCode(StatusCode::rolled_back));
  EXPECT_TRUE(dispatcher_->close(1min).complete());
  EXPECT_THAT(bodies_at("a"), IsEmpty());
}

TEST_F(ScopeOfConfigTest, AScopeMayOutliveItsDispatcher) {
  make(broker("a"), R"({"t": {"events": ["e"], "targets": ["a"]}})");
  const Delivery delivery = scope_->fire("a", "1");
  const Emission emission = scope_->emit("e", "2");
  dispatcher_.reset();
  EXPECT_FALSE(delivery.done());
  EXPECT_THROW(delivery.wait(), std::logic_error);
  EXPECT_THAT(scope_->fire("a", "3").wait(), HasCode(StatusCode::closed));
  EXPECT_THAT(scope_->emit("e", "3")[0].wait(), HasCode(StatusCode::closed));
  scope_->commit();
  EXPECT_THAT(delivery.wait(), HasCode(StatusCode::closed));
  const Delivery late = scope_->fire("a", "4");
  scope_.reset();
  EXPECT_THAT(late.wait(), HasCode(StatusCode::closed));
  EXPECT_THAT(emission[0].wait(), HasCode(StatusCode::closed));
  EXPECT_THAT(bodies_at("a"), IsEmpty());
}

TEST_F(ScopeOfConfigTest, ADispatcherMayBeMovedUnderAScope) {
  make(broker("a"));
  scope_->fire("a", "1");
  TriggerDispatcher moved = std::move(*dispatcher_);
  scope_->fire("a", "2");
  scope_->commit();
  EXPECT_TRUE(moved.flush(1min));
  const Delivery held = scope_->fire("a", "3");
  dispatcher_.reset();
  moved = TriggerDispatcher(config_of(broker("a")), registry_);  // ends the one before
  scope_->commit();
  EXPECT_THAT(held.wait(), HasCode(StatusCode::closed));
  EXPECT_THAT(moved.fire("a", "4").wait(), IsOk());
  EXPECT_THAT(bodies_at("a"), ElementsAre("1", "2", "4"));
}

TEST_F(ScopeOfConfigTest, ACommitThatMeetsACloseReportsOnce) {
  for (int round = 0; round < 50; ++round) {
    make(broker("a"));
    std::atomic<int> reports{0};
    for (int i = 0; i < 100; ++i) scope_->fire("a", "x", [&](const DeliveryReport&) { ++reports; });
    std::thread committing([&] { scope_->commit(); });
    dispatcher_->close(1min);
    committing.join();
    EXPECT_EQ(reports, 100);
  }
}

TEST_F(ScopeOfConfigTest, InAChildOfForkAScopeIsDead) {
  make(broker("a"));
  std::atomic<int> reports{0};
  const Delivery delivery = scope_->fire("a", "of the parent", [&](const DeliveryReport&) { ++reports; });
  CommitScope committed(*dispatcher_);
  committed.fire("a", "not twice");
  CommitScope rolled_back(*dispatcher_);
  rolled_back.fire("a", "never", [&](const DeliveryReport&) { ++reports; });
  EXPECT_EQ(
      tests::trouble_in_child([&] {
        ACTION_TRIGGERS_CHILD_EXPECT(scope_->fire("a", "of the child").wait().status.code() == StatusCode::closed);
        committed.commit();
        rolled_back.rollback();
        const auto savepoint = scope_->savepoint();
        scope_->rollback_to(savepoint);
        scope_.reset();
        ACTION_TRIGGERS_CHILD_EXPECT(!delivery.done());
        ACTION_TRIGGERS_CHILD_EXPECT(reports == 0);
        CommitScope of_child(*dispatcher_);
        ACTION_TRIGGERS_CHILD_EXPECT(of_child.fire("a", "x").wait().status.code() == StatusCode::closed);
        dispatcher_.reset();
      }),
      "");
  scope_->commit();
  committed.commit();
  rolled_back.rollback();
  EXPECT_THAT(delivery.wait(), IsOk());
  EXPECT_THAT(bodies_at("a"), ElementsAre("of the parent", "not twice"));
  EXPECT_EQ(reports, 2);
}

}  // namespace
}  // namespace action_triggers
