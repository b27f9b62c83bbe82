// SPDX-License-Identifier: MIT
// When a lane connects again.
#include "dispatch/connection_supervisor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ConnectionSupervisorTest : public ::testing::Test {
 protected:
  ConnectionSupervisorTest() {
    connection_.set_policy({.max_attempts = {}, .initial_backoff = 100ms, .max_backoff = 5'000ms});
  }
  /// The connection is lost or refused; returns the pause before the next attempt.
  std::chrono::nanoseconds fail(StatusCode code = StatusCode::unavailable) {
    connection_.disconnected({code, "why"}, now_);
    return heap_.next() - now_;
  }
  void connect() {
    connection_.connecting();
    connection_.connected(now_);
  }

  TimePoint now_ = TimePoint(1h);
  DueHeap heap_;
  Backoff backoff_{1};
  ConnectionSupervisor connection_{heap_, backoff_, now_};
};

TEST_F(ConnectionSupervisorTest, WhoWaitsForAConnectionIsToldOfStatesThatHold) {
  const TimePoint at_once = TimePoint::min();
  EXPECT_FALSE(connection_.wait_until_up(at_once));
  connect();
  EXPECT_FALSE(connection_.wait_until_up(at_once)) << "the turn is not over";
  connection_.reconnecting(true, "");  // as Kafka's client, until a broker answers
  connection_.publish(now_);
  EXPECT_FALSE(connection_.wait_until_up(at_once));
  connection_.reconnecting(false, "");
  connection_.publish(now_);
  EXPECT_TRUE(connection_.wait_until_up(at_once));
  connection_.blocked(true, "an alarm");
  connection_.publish(now_);
  EXPECT_TRUE(connection_.wait_until_up(at_once)) << "there is a connection";
  fail();
  connection_.publish(now_);
  EXPECT_FALSE(connection_.wait_until_up(at_once));
  connection_.closed();
  connection_.publish(now_);
  EXPECT_FALSE(connection_.wait_until_up(TimePoint::max())) << "for good";
}

TEST_F(ConnectionSupervisorTest, ConnectsAtOnceAtFirst) {
  EXPECT_TRUE(connection_.should_connect(now_));
  connection_.connecting();
  EXPECT_FALSE(connection_.should_connect(now_)) << "it does already";
  EXPECT_EQ(connection_.state(), ConnectionState::connecting);
  connection_.connected(now_);
  EXPECT_FALSE(connection_.should_connect(now_ + 24h));
  EXPECT_TRUE(connection_.is_connected());
  EXPECT_EQ(heap_.next(), TimePoint::max());
}

TEST_F(ConnectionSupervisorTest, AttemptsComeAfterPausesThatGrow) {
  std::chrono::nanoseconds limit = 100ms;
  for (int failures = 1; failures < 12; ++failures) {
    connection_.connecting();
    const auto pause = fail();
    EXPECT_GE(pause, limit / 10) << failures;
    EXPECT_LE(pause, limit) << failures;
    EXPECT_FALSE(connection_.should_connect(now_ + pause - 1ns));
    EXPECT_TRUE(connection_.should_connect(now_ + pause));
    now_ += pause;
    limit = std::min<std::chrono::nanoseconds>(2 * limit, 5'000ms);
  }
}

TEST_F(ConnectionSupervisorTest, ADeliveredMessageMakesPausesShortAgain) {
  for (int i = 0; i < 10; ++i) fail();
  connect();
  connection_.delivered();
  EXPECT_LE(fail(), 100ms);
}

TEST_F(ConnectionSupervisorTest, AConnectionThatHeldMakesPausesShortAgain) {
  for (int i = 0; i < 10; ++i) fail();
  connect();
  now_ += 5'000ms;
  EXPECT_LE(fail(), 100ms);
}

TEST_F(ConnectionSupervisorTest, AConnectionThatIsLostAtOnceDoesNot) {
  for (int i = 0; i < 10; ++i) fail();
  connect();
  now_ += 4'999ms;
  EXPECT_GE(fail(), 500ms);
}

TEST_F(ConnectionSupervisorTest, WhatDoesNotMendItselfIsNotTriedForASecond) {
  EXPECT_GE(fail(StatusCode::unauthenticated), 1s);
  EXPECT_LE(fail(StatusCode::unavailable), 200ms);
}

TEST_F(ConnectionSupervisorTest, TellsWhetherItWasConnected) {
  EXPECT_FALSE(connection_.disconnected({StatusCode::unavailable, "refused"}, now_));
  connect();
  EXPECT_TRUE(connection_.disconnected({StatusCode::unavailable, "reset"}, now_));
  connect();
  connection_.blocked(true, "memory");
  EXPECT_TRUE(connection_.disconnected({StatusCode::unavailable, "reset"}, now_));
}

TEST_F(ConnectionSupervisorTest, SaysWhyMessagesWait) {
  EXPECT_THAT(connection_.why_waiting(), HasSubstr("waiting for a connection"));
  fail();
  EXPECT_THAT(connection_.why_waiting(), HasSubstr("the last try failed: unavailable: why"));
  EXPECT_EQ(connection_.error(), "unavailable: why");
  connect();
  EXPECT_THAT(connection_.why_waiting(), IsEmpty());
  EXPECT_THAT(connection_.error(), IsEmpty());
  connection_.blocked(true, "memory alarm");
  EXPECT_EQ(connection_.state(), ConnectionState::blocked);
  EXPECT_THAT(connection_.why_waiting(), HasSubstr("memory alarm"));
  connection_.blocked(false, "");
  EXPECT_EQ(connection_.state(), ConnectionState::connected);
  connection_.closed();
  EXPECT_THAT(connection_.why_waiting(), IsEmpty());
}

TEST_F(ConnectionSupervisorTest, ABlockWithoutAConnectionMeansNothing) {
  fail();
  connection_.blocked(true, "memory");
  EXPECT_EQ(connection_.state(), ConnectionState::disconnected);
}

TEST_F(ConnectionSupervisorTest, AClientThatReconnectsItselfIsOfferedMessagesAndNotCalledConnected) {
  connect();
  connection_.reconnecting(true, {});
  EXPECT_EQ(connection_.state(), ConnectionState::connecting);
  EXPECT_TRUE(connection_.is_connected());
  EXPECT_FALSE(connection_.is_up());
  EXPECT_FALSE(connection_.should_connect(now_ + 24h));
  EXPECT_EQ(connection_.why_waiting(), "waiting for a connection");
  connection_.reconnecting(true, "refused");
  EXPECT_EQ(connection_.state(), ConnectionState::disconnected);
  EXPECT_EQ(connection_.error(), "refused");
  EXPECT_THAT(connection_.why_waiting(), HasSubstr("refused"));
  EXPECT_TRUE(connection_.is_connected());
  connection_.blocked(true, "quota");  // says nothing without a connection
  EXPECT_EQ(connection_.state(), ConnectionState::disconnected);
  connection_.reconnecting(false, {});
  EXPECT_EQ(connection_.state(), ConnectionState::connected);
  EXPECT_THAT(connection_.error(), IsEmpty());
  EXPECT_THAT(connection_.why_waiting(), IsEmpty());
  connection_.reconnecting(true, "refused");
  connection_.disconnected({StatusCode::unavailable, "given up"}, now_);
  EXPECT_FALSE(connection_.is_connected());
  connection_.reconnecting(true, "too late");
  EXPECT_EQ(connection_.error(), "unavailable: given up");
}

TEST_F(ConnectionSupervisorTest, FactsHoldTheStateAsItWasPublished) {
  const TimePoint made = now_;
  EXPECT_EQ(connection_.facts().since, made);
  EXPECT_EQ(connection_.facts().down_since, made);
  now_ += 1s;
  connect();
  EXPECT_EQ(connection_.facts().state, ConnectionState::connecting) << "the turn is not over";
  connection_.publish(now_);
  ConnectionFacts facts = connection_.facts();
  EXPECT_EQ(facts.state, ConnectionState::connected);
  EXPECT_EQ(facts.since, now_);
  EXPECT_EQ(facts.down_since, TimePoint::max());
  EXPECT_EQ(facts.reconnects, 0U);
  const TimePoint connected = now_;
  now_ += 1s;
  connection_.publish(now_);
  EXPECT_EQ(connection_.facts().since, connected) << "nothing has changed";
  connection_.blocked(true, "memory alarm");
  connection_.publish(now_);
  facts = connection_.facts();
  EXPECT_EQ(facts.state, ConnectionState::blocked);
  EXPECT_EQ(facts.error, "memory alarm");
  EXPECT_EQ(facts.down_since, TimePoint::max());
}

TEST_F(ConnectionSupervisorTest, FactsCountReconnectsAndFailedAttempts) {
  fail();
  connection_.publish(now_);
  connect();
  connection_.publish(now_);
  EXPECT_EQ(connection_.facts().failed_attempts, 1U);
  EXPECT_EQ(connection_.facts().failed_attempts_since, 0U);
  now_ += 1s;
  fail();  // lost
  connection_.publish(now_);
  const TimePoint lost = now_;
  for (int i = 0; i < 3; ++i) {
    now_ += 10s;
    connection_.connecting();
    connection_.publish(now_);
    fail(StatusCode::unauthenticated);
    connection_.publish(now_);
  }
  ConnectionFacts facts = connection_.facts();
  EXPECT_EQ(facts.down_since, lost) << "attempts do not begin it anew";
  EXPECT_EQ(facts.since, now_);
  EXPECT_EQ(facts.failed_attempts, 4U);
  EXPECT_EQ(facts.failed_attempts_since, 3U);
  EXPECT_EQ(facts.error_code, StatusCode::unauthenticated);
  EXPECT_EQ(facts.error, "unauthenticated: why");
  EXPECT_EQ(facts.next_attempt, heap_.next());
  connect();
  connection_.publish(now_);
  facts = connection_.facts();
  EXPECT_EQ(facts.reconnects, 1U);
  EXPECT_EQ(facts.failed_attempts, 4U);
  EXPECT_EQ(facts.error_code, StatusCode::ok);
  EXPECT_EQ(facts.next_attempt, TimePoint::max());
}

TEST_F(ConnectionSupervisorTest, AClientThatConnectsAgainItselfIsDownMeanwhile) {
  connect();
  connection_.publish(now_);
  now_ += 1s;
  connection_.reconnecting(true, "refused");
  connection_.publish(now_);
  EXPECT_EQ(connection_.facts().error_code, StatusCode::unavailable);
  EXPECT_EQ(connection_.facts().error, "refused");
  EXPECT_EQ(connection_.facts().down_since, now_);
  connection_.reconnecting(false, {});
  connection_.publish(now_);
  EXPECT_EQ(connection_.facts().reconnects, 1U);
  EXPECT_EQ(connection_.facts().error, "");
  EXPECT_EQ(connection_.facts().error_code, StatusCode::ok);
  connection_.reconnecting(false, "one broker of two cannot be reached");
  connection_.publish(now_);
  EXPECT_EQ(connection_.facts().state, ConnectionState::connected);
  EXPECT_EQ(connection_.facts().error_code, StatusCode::unavailable);
}

}  // namespace
}  // namespace action_triggers::detail
