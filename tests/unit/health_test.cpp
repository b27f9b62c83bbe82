// SPDX-License-Identifier: MIT
// What the numbers say of a dispatcher's health, and what its reasons tell a person.
#include "action_triggers/health.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <sstream>
#include <string>

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class HealthTest : public ::testing::Test {
 protected:
  HealthTest() {
    stats_.taken_at = now_;
    add("orders");
  }
  BrokerStats& add(const std::string& name) {
    ConnectionStats connection;
    connection.name = name;
    connection.state = ConnectionState::connected;
    stats_.connections.push_back(connection);
    BrokerStats broker;
    broker.broker_type = "kafka";
    broker.connection = name;
    broker.state = ConnectionState::connected;
    broker.state_since = now_ - 1h;
    broker.timeout = 30s;
    broker.max_queued = 100;
    broker.max_queued_bytes = 10'000;
    return stats_.brokers[name] = broker;
  }
  void disconnect(std::size_t index, StatusCode code, const std::string& why) {
    ConnectionStats& connection = stats_.connections[index];
    connection.state = stats_.brokers[connection.name].state = ConnectionState::disconnected;
    connection.down_since = now_ - 90s;
    connection.error_code = code;
    connection.error = why;
    connection.failed_attempts_since = 7;
    connection.next_attempt = now_ + 3s;
  }
  [[nodiscard]] Health health() const { return health_of(stats_); }
  [[nodiscard]] HealthReason only_reason() const {
    const Health found = health();
    EXPECT_THAT(found.reasons, SizeIs(1));
    return found.reasons.empty() ? HealthReason() : found.reasons.front();
  }

  const WallTime now_ = WallTime::clock::now();
  Stats stats_;
};

TEST_F(HealthTest, WhatDeliversIsOk) {
  EXPECT_TRUE(health().ok());
  EXPECT_THAT(health().reasons, IsEmpty());
  EXPECT_EQ(health_of(Stats()).state, HealthState::ok) << "nothing that could fail";
}

TEST_F(HealthTest, WithoutAnyConnectionItIsDown) {
  disconnect(0, StatusCode::unavailable, "unavailable: connection refused");
  EXPECT_EQ(health().state, HealthState::down);
  const HealthReason reason = only_reason();
  EXPECT_EQ(reason.state, HealthState::down);
  EXPECT_EQ(reason.destination, "orders");
  EXPECT_EQ(reason.what, "no connection: unavailable: connection refused");
  EXPECT_EQ(reason.since, now_ - 90s);
  EXPECT_EQ(reason.tried, "7 attempts to connect, the next in 3 s");
  EXPECT_THAT(reason.to_do, HasSubstr("action-triggers ping FILE --only 'orders'"));
}

TEST_F(HealthTest, BeforeTheFirstConnectionItIsDown) {
  stats_.brokers["orders"].state = ConnectionState::connecting;
  stats_.connections[0].down_since = now_ - 1s;
  EXPECT_EQ(health().state, HealthState::down);
  EXPECT_EQ(only_reason().what, "no connection yet");
  EXPECT_EQ(only_reason().tried, "");
}

TEST_F(HealthTest, WithOneConnectionOfTwoItIsDegraded) {
  add("mails");
  disconnect(0, StatusCode::unavailable, "unavailable: reset");
  EXPECT_EQ(health().state, HealthState::degraded);
  EXPECT_EQ(only_reason().state, HealthState::down) << "that one is";
  disconnect(1, StatusCode::unauthenticated, "unauthenticated: wrong password");
  EXPECT_EQ(health().state, HealthState::down);
  EXPECT_THAT(health().reasons,
              ElementsAre(Field(&HealthReason::destination, "mails"), Field(&HealthReason::destination, "orders")));
  EXPECT_THAT(health().reasons[0].to_do, HasSubstr("password"));
}

TEST_F(HealthTest, WithOneOfItsConnectionsADestinationIsDegraded) {
  stats_.connections[0].destinations = {"orders"};
  ConnectionStats other;
  other.name = "orders (CloudEvents)";
  other.destinations = {"orders"};
  other.state = ConnectionState::disconnected;
  other.error = "unauthenticated: wrong password";
  stats_.connections.push_back(other);
  stats_.brokers["orders"].connection = other.name;
  stats_.brokers["orders"].state = other.state;
  EXPECT_EQ(health().state, HealthState::degraded);
  EXPECT_EQ(only_reason().state, HealthState::degraded);
  EXPECT_EQ(only_reason().what, "some of its targets have no connection: unauthenticated: wrong password");
  stats_.connections[0].state = ConnectionState::disconnected;
  EXPECT_EQ(health().state, HealthState::down);
}

TEST_F(HealthTest, ABrokerThatHoldsMessagesUpIsDegraded) {
  stats_.brokers["orders"].state = ConnectionState::blocked;
  stats_.connections[0].state = ConnectionState::blocked;
  stats_.connections[0].error = "low on memory";
  EXPECT_EQ(health().state, HealthState::degraded);
  EXPECT_EQ(only_reason().what, "the broker holds messages up: low on memory");
  EXPECT_THAT(only_reason().to_do, HasSubstr("memory"));
}

TEST_F(HealthTest, ABrokerOfAClusterThatCannotBeReachedIsDegraded) {
  stats_.connections[0].error = "a broker cannot be reached: host:9092/2: refused";
  stats_.connections[0].error_code = StatusCode::unavailable;
  EXPECT_EQ(health().state, HealthState::degraded);
  EXPECT_EQ(only_reason().what, "a broker cannot be reached: host:9092/2: refused");
  EXPECT_THAT(only_reason().to_do, HasSubstr("ping"));
}

TEST_F(HealthTest, AClosedDispatcherIsDown) {
  stats_.brokers["orders"].state = ConnectionState::closed;
  EXPECT_EQ(health().state, HealthState::down);
  EXPECT_THAT(only_reason().what, HasSubstr("closed"));
}

TEST_F(HealthTest, WhatIsNotDeliveredIsDegraded) {
  const auto with = [&](StatusCode code, const char* text) {
    stats_.brokers["orders"].trouble = Trouble{code, text, now_ - 20s, now_ - 2s};
    return only_reason();
  };
  const HealthReason reason = with(StatusCode::not_found, "not_found: no topic 'orders'");
  EXPECT_EQ(health().state, HealthState::degraded);
  EXPECT_EQ(reason.what, "nothing was delivered since a message failed: not_found: no topic 'orders'");
  EXPECT_EQ(reason.since, now_ - 20s);
  EXPECT_EQ(reason.tried, "the latest one 2 s ago");
  EXPECT_THAT(reason.to_do, HasSubstr("topic"));
  EXPECT_THAT(with(StatusCode::unroutable, "").to_do, HasSubstr("bind"));
  EXPECT_THAT(with(StatusCode::rejected, "").to_do, HasSubstr("replicas"));
  EXPECT_THAT(with(StatusCode::permission_denied, "").to_do, HasSubstr("right"));
  EXPECT_THAT(with(StatusCode::timed_out, "").to_do, HasSubstr("timeout_secs"));
  EXPECT_THAT(with(StatusCode::queue_full, "").to_do, HasSubstr("max_queued"));
  EXPECT_THAT(with(StatusCode::internal, "").to_do, HasSubstr("log"));
}

TEST_F(HealthTest, WhatALostConnectionFailedIsOverWithTheNextOne) {
  BrokerStats& broker = stats_.brokers["orders"];
  for (const StatusCode code : {StatusCode::unavailable, StatusCode::timed_out, StatusCode::unauthenticated}) {
    broker.trouble = Trouble{code, "", now_ - 20s, now_ - 10s};
    broker.state_since = now_ - 5s;
    EXPECT_TRUE(health().ok()) << code;
    broker.state_since = now_ - 15s;
    EXPECT_EQ(health().state, HealthState::degraded) << code << ": the connection was there when it failed";
  }
  broker.trouble = Trouble{StatusCode::unroutable, "", now_ - 20s, now_ - 10s};
  broker.state_since = now_ - 5s;
  EXPECT_EQ(health().state, HealthState::degraded) << "a connection makes no queue";
}

TEST_F(HealthTest, AMessageThatWaitsForHalfOfItsTimeIsDegraded) {
  stats_.brokers["orders"].oldest_age = 14s;
  EXPECT_TRUE(health().ok());
  stats_.brokers["orders"].oldest_age = 16s;
  EXPECT_EQ(only_reason().what, "the oldest message waits for 16 s");
  EXPECT_EQ(only_reason().since, now_ - 16s);
  EXPECT_EQ(only_reason().tried, "messages are given up after 30 s");
}

TEST_F(HealthTest, AFullDestinationIsDegraded) {
  stats_.brokers["orders"].queued = 100;
  stats_.brokers["orders"].queued_bytes = 1;
  EXPECT_TRUE(health().ok());
  stats_.brokers["orders"].full = true;
  EXPECT_EQ(only_reason().what, "full: it holds 100 messages (1 byte)");
  disconnect(0, StatusCode::unavailable, "unavailable: reset");
  EXPECT_THAT(health().reasons, SizeIs(2)) << "both are to be known";
}

TEST_F(HealthTest, AnOutboxWithoutItsDatabaseIsDown) {
  stats_.outbox.emplace();
  EXPECT_TRUE(health().ok());
  stats_.outbox->last_error = "connection refused";
  stats_.outbox->last_error_since = now_ - 4s;
  EXPECT_EQ(health().state, HealthState::down);
  EXPECT_THAT(only_reason(), AllOf(Field(&HealthReason::destination, ""), Field(&HealthReason::since, now_ - 4s)));
  EXPECT_THAT(only_reason().what, HasSubstr("connection refused"));
}

TEST_F(HealthTest, ADestinationThatTheOutboxHoldsBackIsDegraded) {
  stats_.outbox.emplace();
  stats_.outbox->held["orders"] = "the broker has confirmed nothing for a while";
  stats_.outbox->held_since["orders"] = now_ - 8s;
  EXPECT_EQ(health().state, HealthState::degraded);
  EXPECT_EQ(only_reason().since, now_ - 8s);
  disconnect(0, StatusCode::unavailable, "unavailable: reset");
  EXPECT_THAT(only_reason().what, HasSubstr("no connection")) << "one reason is enough";
}

TEST_F(HealthTest, AnUnknownDestinationThatTheOutboxHoldsBackIsSaid) {
  stats_.outbox.emplace();
  stats_.outbox->held["gone"] = "no destination is named 'gone' in the configuration";
  EXPECT_EQ(health().state, HealthState::degraded);
  EXPECT_EQ(only_reason().destination, "gone");
}

TEST_F(HealthTest, AChildOfForkIsDown) {
  Stats child;
  child.in_child_of_fork = true;
  const Health found = health_of(child);
  EXPECT_EQ(found.state, HealthState::down);
  ASSERT_THAT(found.reasons, SizeIs(1));
  EXPECT_THAT(found.reasons[0].what, HasSubstr("fork()"));
}

TEST_F(HealthTest, IsPrintedForPeople) {
  disconnect(0, StatusCode::unavailable, "unavailable: connection refused");
  std::ostringstream out;
  out << health();
  EXPECT_THAT(out.str(),
              ::testing::MatchesRegex("down\norders: no connection: unavailable: connection refused\n  for 9[0-9] s\n"
                                      "  tried: 7 attempts to connect, the next in 3 s\n  to do: look [^\n]*"));
  std::ostringstream fine;
  fine << Health();
  EXPECT_EQ(fine.str(), "ok");
}

}  // namespace
}  // namespace action_triggers
