// SPDX-License-Identifier: MIT
// Which of several hosts is tried first, against scripted servers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "action_triggers/rabbitmq.hpp"
#include "brokers/rabbitmq/rabbitmq_broker.hpp"
#include "support/scripted_amqp_server.hpp"
#include "unit/rabbitmq_support.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using namespace tests;
using ::testing::HasSubstr;

class SeveralHostsTest : public ::testing::Test {
 protected:
  void TearDown() override { broker->close(events, 1s); }
  void start(const ScriptedAmqpServer& first, const ScriptedAmqpServer& second,
             const std::vector<const BrokerConfig*>& destinations) {
    config.hosts = {{"127.0.0.1", static_cast<std::uint16_t>(first.port())},
                    {"127.0.0.1", static_cast<std::uint16_t>(second.port())}};
    events.time = Clock::now();
    broker = std::make_unique<RabbitMqBroker>(config);
    broker->start(LaneContext{.destinations = destinations, .waker = Waker([] {})});
  }
  void run_until(const std::function<bool()>& done) {
    for (const TimePoint deadline = Clock::now() + 5s; !done();) {
      ASSERT_LT(Clock::now(), deadline);
      pollfd fd{.fd = broker->wait_request().fd, .events = POLLIN, .revents = 0};
      ::poll(&fd, 1, 5);
      broker->poll(events);
    }
  }
  void connect() {
    broker->connect(events);
    run_until([this, before = events.connections] { return events.connections > before; });
  }

  RabbitMqConfig config;
  RecordedEvents events;
  std::unique_ptr<RabbitMqBroker> broker;
};

/// The first host ends every connection before anybody has logged in.
class TwoHostsTest : public SeveralHostsTest {
 protected:
  TwoHostsTest() { start(dead, good, {}); }
  void lose_connection() {
    lose.set_value();
    run_until([this] { return !events.disconnects.empty(); });
  }

  std::atomic<int> asked_dead = 0;
  std::promise<void> lose;
  std::shared_future<void> lost = lose.get_future().share();
  ScriptedAmqpServer dead{[this](AmqpPeer& /*peer*/) { ++asked_dead; }};
  ScriptedAmqpServer good{[this](AmqpPeer& peer) {
    peer.log_in();
    lost.wait();
  }};
};

TEST_F(TwoHostsTest, TheLastGoodOneIsTriedFirst) {
  connect();
  ASSERT_EQ(asked_dead, 1);
  *events.time += 1min;
  lose_connection();
  connect();
  EXPECT_EQ(asked_dead, 1);
}

TEST_F(TwoHostsTest, OneThatEndsEveryConnectionIsNotTheGoodOne) {
  connect();
  lose_connection();
  connect();
  EXPECT_EQ(asked_dead, 2) << "the next one first";
}

/// The first host lets everybody in, and answers nothing from then on.
class SickHostTest : public SeveralHostsTest {
 protected:
  SickHostTest() { config.queue = "q"; }
  void start_and_connect(const std::vector<const BrokerConfig*>& destinations) {
    start(sick, good, destinations);
    connect();
  }
  void expect_the_other_one(const std::string& why) {
    run_until([this] { return !events.disconnects.empty(); });
    EXPECT_THAT(events.disconnects[0].message(), HasSubstr(why));
    EXPECT_THAT(events.disconnects[0].message(), HasSubstr(to_string(config.hosts[0])));
    connect();
    run_until([this] { return good_was_asked.load(); });
  }

  std::atomic<bool> good_was_asked = false;
  std::uint16_t heartbeat = 0;
  std::atomic<bool> opens_channels = false;
  std::atomic<bool> is_published = false;
  ScriptedAmqpServer sick{[this](AmqpPeer& peer) {
    peer.log_in(131'072, heartbeat);
    if (opens_channels) {
      peer.next_publish();
      is_published = true;
    }
    peer.stop_reading();
  }};
  ScriptedAmqpServer good{[this](AmqpPeer& peer) {
    peer.log_in();
    good_was_asked = true;
    peer.read_on();
  }};
};

TEST_F(SickHostTest, OneThatOpensNoChannelIsLeft) {
  start_and_connect({&config});
  *events.time += 5s;
  expect_the_other_one("the broker does not answer channel.open");
}

TEST_F(SickHostTest, OneThatAnswersNoDeclarationIsLeft) {
  config.exchange = "events";
  std::deque<RabbitMqConfig> more(Declarations::last_control_channel, config);
  for (std::size_t i = 0; i < more.size(); ++i) more[i].exchange += std::to_string(i);
  std::vector<const BrokerConfig*> destinations;
  for (const RabbitMqConfig& each : more) destinations.push_back(&each);
  start_and_connect(destinations);
  *events.time += 10s;
  expect_the_other_one("the broker answers no declaration");
}

TEST_F(SickHostTest, OneThatConfirmsNothingIsLeft) {
  opens_channels = true;
  start_and_connect({&config});
  const OfferedMessage message(Message{.body = "body"});
  const OutboundMessage* const offered = &message;
  run_until([&] { return broker->send(std::span(&offered, 1), events) == 1; });
  run_until([&] { return is_published.load(); });
  *events.time += 30s;
  expect_the_other_one("has confirmed nothing for 30 seconds");
}

TEST_F(SickHostTest, OneThatSendsNoHeartbeatIsLeft) {
  heartbeat = 1;
  start_and_connect({&config});
  *events.time += 2s;
  expect_the_other_one("no heartbeat for 2 s");
}

}  // namespace
}  // namespace action_triggers::detail
