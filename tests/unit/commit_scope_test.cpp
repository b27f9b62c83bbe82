// SPDX-License-Identifier: MIT
// CommitScope: what is fired in it is sent at commit, together and in order, or not at all.
#include "action_triggers/commit_scope.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "action_triggers/testing/trigger_fixture.hpp"
#include "support/dispatcher_test.hpp"
#include "support/waiting_call.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::HasCode;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;

struct Order {
  int number = 0;
};

}  // namespace

template <>
struct MessageConverter<Order> {
  static Message to_message(const Order& order) { return {.body = "order " + std::to_string(order.number)}; }
};

namespace {

class CommitScopeTest : public tests::DispatcherTest {
 protected:
  std::vector<std::string> bodies_at(std::string_view name) {
    dispatcher_->flush(1min);
    std::vector<std::string> bodies;
    for (const Message& message : memory_->messages(name)) bodies.push_back(message.body);
    return bodies;
  }
  BrokerStats stats_of(const std::string& name) { return dispatcher_->stats().brokers.at(name); }
  static std::uint64_t rolled_back(const BrokerStats& stats) {
    return stats.by_status[static_cast<std::size_t>(StatusCode::rolled_back)];
  }
};

TEST_F(CommitScopeTest, NothingIsSentBeforeTheCommit) {
  make({"a"});
  CommitScope scope(*dispatcher_);
  const Delivery delivery = scope.fire("a", "1");
  scope.fire("a", "2");
  EXPECT_EQ(scope.size(), 2U);
  EXPECT_EQ(delivery.wait_for(1ms), nullptr);
  EXPECT_TRUE(dispatcher_->flush(1min)) << "it does not wait for open scopes";
  EXPECT_EQ(memory_->size(), 0U);
  dispatcher_->fire("a", "before the commit").wait();
  scope.commit();
  EXPECT_TRUE(scope.empty());
  const Delivery later = dispatcher_->fire("a", "3");
  EXPECT_THAT(delivery.wait(), IsOk());
  EXPECT_THAT(later.wait(), IsOk());
  EXPECT_THAT(bodies_at("a"), ElementsAre("before the commit", "1", "2", "3"));
}

TEST_F(CommitScopeTest, IdsAreKnownAtOnce) {
  make({"a"});
  CommitScope scope(*dispatcher_);
  const Delivery delivery = scope.fire("a", "1");
  const Delivery own = scope.fire("a", Message{.body = "2", .id = "own"});
  const Delivery refused = scope.fire("nobody", "3");
  const Delivery at_once = dispatcher_->fire("a", "4");
  const std::vector<std::string> ids{delivery.message_id(), own.message_id(), refused.message_id(),
                                     at_once.message_id()};
  EXPECT_EQ(ids[1], "own");
  scope.commit();
  EXPECT_EQ(delivery.message_id(), ids[0]) << "wherever the message is";
  std::vector<std::string> reported;
  for (const Delivery& one : {delivery, own, refused, at_once}) reported.push_back(one.wait().message_id);
  EXPECT_EQ(ids, reported);
  EXPECT_EQ(memory_->messages("a").at(1).id, ids[0]);
  EXPECT_EQ(delivery.message_id(), ids[0]);
  EXPECT_THROW(static_cast<void>(Delivery().message_id()), std::logic_error);
}

TEST_F(CommitScopeTest, ARollbackDropsAndReports) {
  int failures = 0;
  make({"a"}, {}, tests::hearing_failures([&](const DeliveryReport&) { ++failures; }));
  CommitScope scope(*dispatcher_);
  std::vector<std::string> heard;
  const auto hear = [&](const DeliveryReport& report) {
    heard.push_back(report.message_id + " " + report.status.to_string());
    EXPECT_EQ(scope.size(), 0U);
  };
  const Delivery delivery = scope.fire("a", Message{.body = "1", .id = "own"}, hear);
  scope.fire("a", Message{.body = "2", .id = "other"}, hear);
  EXPECT_TRUE(heard.empty());
  scope.rollback();
  EXPECT_THAT(heard, ElementsAre("own rolled_back: the commit scope was rolled back",
                                 "other rolled_back: the commit scope was rolled back"));
  ASSERT_TRUE(delivery.done());
  const DeliveryReport& report = delivery.wait();
  EXPECT_EQ(report.persistence, Persistence::not_persisted);
  EXPECT_EQ(report.broker, "a");
  EXPECT_EQ(report.attempts, 0U);
  EXPECT_FALSE(report.status.retryable());
  EXPECT_FALSE(report.status.permanent());
  EXPECT_THAT(bodies_at("a"), IsEmpty());
  EXPECT_EQ(failures, 0) << "a rollback is what the application asked for";
  const BrokerStats stats = stats_of("a");
  EXPECT_EQ(stats.fired, 2U);
  EXPECT_EQ(stats.failed, 0U);
  EXPECT_EQ(rolled_back(stats), 2U);
  EXPECT_EQ(stats.queued, 0U);
  EXPECT_EQ(stats.queued_bytes, 0U);
}

TEST_F(CommitScopeTest, TheDestructorRollsBack) {
  make({"a"});
  Delivery delivery;
  {
    CommitScope scope(*dispatcher_);
    delivery = scope.fire("a", "1");
  }
  EXPECT_THAT(delivery.wait(), HasCode(StatusCode::rolled_back));
  EXPECT_THAT(delivery.wait().message_id, ::testing::SizeIs(36));
  EXPECT_THAT(bodies_at("a"), IsEmpty());
}

TEST_F(CommitScopeTest, CanBeUsedAgain) {
  make({"a"});
  CommitScope scope(*dispatcher_);
  scope.commit();
  scope.rollback();
  scope.fire("a", "1");
  scope.commit();
  scope.fire("a", "2");
  scope.rollback();
  scope.fire("a", "3");
  scope.commit();
  EXPECT_THAT(bodies_at("a"), ElementsAre("1", "3"));
}

TEST_F(CommitScopeTest, TakesWhatTheDispatcherTakes) {
  make({"a"});
  int reports = 0;
  const auto count = [&](const DeliveryReport&) { ++reports; };
  {
    CommitScope scope(*dispatcher_);
    const Message message{.body = "message", .key = "k"};
    const std::array<unsigned char, 2> bytes{'b', 'y'};
    scope.fire("a", message);
    scope.fire("a", message, count);
    scope.fire("a", "body");
    scope.fire("a", "body", count);
    scope.fire("a", Order{7});
    scope.fire("a", Order{8}, count);
    scope.fire("a", bytes);
    scope.fire("a", bytes, count);
    EXPECT_TRUE(scope.emit("nobody's", message).empty());
    EXPECT_TRUE(scope.emit("nobody's", message, count).empty());
    EXPECT_TRUE(scope.emit("nobody's", "{}").empty());
    EXPECT_TRUE(scope.emit("nobody's", "{}", count).empty());
    EXPECT_TRUE(scope.emit("nobody's", Order{7}).empty());
    EXPECT_TRUE(scope.emit("nobody's", Order{7}, count).empty());
    EXPECT_TRUE(scope.emit("nobody's", bytes).empty());
    EXPECT_TRUE(scope.emit("nobody's", bytes, count).empty());
    scope.commit();
  }
  EXPECT_THAT(bodies_at("a"), ElementsAre("message", "message", "body", "body", "order 7", "order 8", "by", "by"));
  EXPECT_EQ(reports, 4);
}

TEST_F(CommitScopeTest, SavepointsAreThoseOfSql) {
  make({"a"});
  CommitScope scope(*dispatcher_);
  scope.fire("a", "1");
  const auto outer = scope.savepoint();
  const Delivery second = scope.fire("a", "2");
  const auto inner = scope.savepoint();
  const Delivery third = scope.fire("a", "3");
  scope.rollback_to(inner);
  EXPECT_THAT(third.wait(), HasCode(StatusCode::rolled_back));
  EXPECT_THAT(third.wait().status.message(), HasSubstr("savepoint"));
  EXPECT_FALSE(second.done());
  scope.fire("a", "4");
  scope.rollback_to(inner);  // it stays
  scope.fire("a", "5");
  scope.rollback_to(outer);
  EXPECT_THROW(scope.rollback_to(inner), std::invalid_argument) << "rolled back over";
  EXPECT_TRUE(second.done());
  scope.fire("a", "6");
  const auto last = scope.savepoint();
  scope.fire("a", "7");
  scope.release(outer);
  EXPECT_THROW(scope.release(outer), std::invalid_argument);
  EXPECT_THROW(scope.rollback_to(last), std::invalid_argument) << "released with the older one";
  scope.commit();
  EXPECT_THAT(bodies_at("a"), ElementsAre("1", "6", "7"));
}

TEST_F(CommitScopeTest, ASavepointIsOfOneTransactionAndOneScope) {
  make({"a"});
  CommitScope scope(*dispatcher_);
  CommitScope other(*dispatcher_);
  const auto of_other = other.savepoint();
  const auto before = scope.savepoint();
  scope.commit();
  const auto now = scope.savepoint();
  scope.fire("a", "1");
  EXPECT_THROW(scope.rollback_to(of_other), std::invalid_argument);
  EXPECT_THROW(scope.rollback_to(before), std::invalid_argument);
  EXPECT_EQ(scope.size(), 1U) << "nothing has changed";
  scope.rollback_to(now);
  EXPECT_TRUE(scope.empty());
}

TEST_F(CommitScopeTest, WhatIsRefusedIsReportedAtOnce) {
  std::vector<StatusCode> failures;
  make(
      {"a"},
      [](BrokerConfig& config) {
        config.max_queued_messages = 2;
        config.max_queued_bytes = 10;
      },
      tests::hearing_failures([&](const DeliveryReport& report) { failures.push_back(report.status.code()); }));
  CommitScope scope(*dispatcher_);
  EXPECT_THAT(scope.fire("b", "x").wait(), HasCode(StatusCode::not_found));
  EXPECT_THAT(scope.fire("a", "12345678901").wait(), HasCode(StatusCode::too_large));
  scope.fire("a", "1");
  scope.fire("a", "2");
  const Delivery third = scope.fire("a", "3");
  EXPECT_THAT(third.wait(), HasCode(StatusCode::queue_full));
  EXPECT_THAT(third.wait().status.message(), HasSubstr("2 messages (2 bytes) without an outcome, 2 of them in open"));
  EXPECT_THAT(dispatcher_->fire("a", "4").wait(), HasCode(StatusCode::queue_full)) << "its capacity is taken";
  EXPECT_EQ(stats_of("a").queued, 2U);
  EXPECT_EQ(stats_of("a").queued_bytes, 2U);
  EXPECT_THAT(failures, ElementsAre(StatusCode::not_found, StatusCode::too_large, StatusCode::queue_full,
                                    StatusCode::queue_full));
  scope.rollback();
  EXPECT_THAT(dispatcher_->fire("a", "5").wait(), IsOk());
  EXPECT_THAT(bodies_at("a"), ElementsAre("5"));
}

TEST_F(CommitScopeTest, AFireThatWaitsForCapacityGetsWhatARollbackReleases) {
  make({"a"}, [](BrokerConfig& config) {
    config.max_queued_messages = 1;
    config.overflow = Overflow::block;
    config.max_block = 1min;
  });
  CommitScope scope(*dispatcher_);
  scope.fire("a", "1");
  Delivery delivery;
  tests::WaitingCall firing([&] { delivery = dispatcher_->fire("a", "2"); });
  ASSERT_TRUE(firing.waits());
  scope.rollback();
  firing.join();
  EXPECT_THAT(delivery.wait(), IsOk());
}

TEST_F(CommitScopeTest, InAScopeAFireWaitsForCapacityNoLongerThanOutside) {
  make({"a"}, [](BrokerConfig& config) {
    config.max_queued_messages = 1;
    config.overflow = Overflow::block;
    config.max_block = 5ms;
  });
  CommitScope scope(*dispatcher_);
  scope.fire("a", "1");
  EXPECT_THAT(scope.fire("a", "2").wait(), HasCode(StatusCode::queue_full)) << "only its own end would make room";
  scope.commit();
  EXPECT_THAT(bodies_at("a"), ElementsAre("1"));
}

TEST_F(CommitScopeTest, WithDropOldestTheLaneDropsAfterTheCommit) {
  make({"a"}, [](BrokerConfig& config) {
    config.max_queued_messages = 2;
    config.overflow = Overflow::drop_oldest;
  });
  memory_->block();
  CommitScope scope(*dispatcher_);
  const Delivery first = scope.fire("a", "1");
  for (const char* body : {"2", "3"}) scope.fire("a", body);
  EXPECT_FALSE(first.done());
  scope.commit();
  EXPECT_THAT(first.wait(), HasCode(StatusCode::queue_full));
  memory_->unblock();
  EXPECT_THAT(bodies_at("a"), ElementsAre("2", "3"));
}

TEST_F(CommitScopeTest, WaitingForOnesOwnScopeThrows) {
  make({"a"});
  CommitScope scope(*dispatcher_);
  const Delivery delivery = scope.fire("a", "1");
  EXPECT_THROW(delivery.wait(), std::logic_error);
  EXPECT_EQ(delivery.wait_for(1ms), nullptr);
  tests::WaitingCall elsewhere([copy = delivery] { EXPECT_THAT(copy.wait(), IsOk()); });
  ASSERT_TRUE(elsewhere.waits());
  EXPECT_THROW(delivery.wait(), std::logic_error);
  scope.commit();
  EXPECT_THAT(delivery.wait(), IsOk());
}

TEST_F(CommitScopeTest, AnotherThreadLearnsOfARollback) {
  make({"a"});
  CommitScope scope(*dispatcher_);
  const Delivery delivery = scope.fire("a", "1");
  tests::WaitingCall elsewhere([copy = delivery] { EXPECT_THAT(copy.wait(), HasCode(StatusCode::rolled_back)); });
  ASSERT_TRUE(elsewhere.waits());
  scope.rollback();
}

TEST_F(CommitScopeTest, ACallbackThatThrowsDoesNotHoldBackTheOthers) {
  make({"a"});
  CommitScope scope(*dispatcher_);
  int reports = 0;
  for (int i = 0; i < 3; ++i) {
    scope.fire("a", "1", [&](const DeliveryReport&) {
      ++reports;
      throw std::runtime_error("from a callback");
    });
  }
  scope.rollback();
  EXPECT_EQ(reports, 3);
  EXPECT_EQ(dispatcher_->stats().callback_exceptions, 3U);
}

TEST_F(CommitScopeTest, ACallbackMayFireInTheScopeAndEndIt) {
  make({"a"}, [](BrokerConfig& config) { config.max_queued_messages = 1; });
  std::optional<CommitScope> scope(std::in_place, *dispatcher_);
  scope->fire("a", "1", [&](const DeliveryReport&) { scope->fire("a", "instead"); });  // there is room again
  scope->rollback();
  EXPECT_EQ(scope->size(), 1U);
  scope->commit();
  EXPECT_THAT(bodies_at("a"), ElementsAre("instead"));
  scope->fire("a", "2", [&](const DeliveryReport&) { scope.reset(); });
  scope->rollback();
  EXPECT_FALSE(scope);
}

TEST_F(CommitScopeTest, CallbacksRunOnTheExecutor) {
  std::vector<std::function<void()>> tasks;
  DispatcherOptions options;
  options.executor = [&](std::function<void()> task) { tasks.push_back(std::move(task)); };
  make({"a"}, {}, std::move(options));
  int reports = 0;
  {
    CommitScope scope(*dispatcher_);
    scope.fire("a", "1", [&](const DeliveryReport& report) { reports += report.status.ok() ? 0 : 1; });
  }
  EXPECT_EQ(reports, 0);
  ASSERT_EQ(tasks.size(), 1U);
  tasks.front()();
  EXPECT_EQ(reports, 1);
}

TEST_F(CommitScopeTest, DeadlineAndLatencyCountFromTheCommit) {
  make({"a"}, [](BrokerConfig& config) { config.timeout = 200ms; });
  const TimePoint fired = Clock::now();
  CommitScope scope(*dispatcher_);
  const Delivery delivery = scope.fire("a", "1");
  while (Clock::now() < fired + 300ms) static_cast<void>(delivery.wait_for(10ms));  // longer than its timeout
  const TimePoint before = Clock::now();
  scope.commit();
  EXPECT_THAT(delivery.wait(), IsOk());
  EXPECT_LE(delivery.wait().latency, Clock::now() - before);
}

TEST_F(CommitScopeTest, TheFixtureForTestsTakesScopes) {
  auto fixture = testing::TriggerFixture::parse(R"({
    "brokers": {"mails": {"broker_type": "memory"}},
    "triggers": {"paid": {"events": ["paid"], "targets": ["mails"]}}})");
  {
    CommitScope scope(fixture.dispatcher());
    scope.emit("paid", R"({"id": 1})");
    scope.commit();
    scope.emit("paid", R"({"id": 2})");
  }
  EXPECT_THAT(fixture.sent(), ElementsAre(testing::Sent("mails", testing::BodyIs(R"({"id": 1})"))));
}

}  // namespace
}  // namespace action_triggers
