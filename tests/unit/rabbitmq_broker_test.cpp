// SPDX-License-Identifier: MIT
// Destinations that come and go while the connection lives, against a scripted server.
#include "brokers/rabbitmq/rabbitmq_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>

#include "support/scripted_amqp_server.hpp"
#include "unit/rabbitmq_support.hpp"

#include "action_triggers/rabbitmq.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using namespace tests;
using ::testing::ElementsAre;

/// Confirms everything, and writes down what it is asked for: "channel class.method".
class ConfirmingServer {
 public:
  [[nodiscard]] int port() const { return server_.port(); }
  std::vector<std::string> take_asked() {
    const std::lock_guard lock(mutex_);
    return std::exchange(asked_, {});
  }

 private:
  void serve(AmqpPeer& peer) {
    peer.log_in();
    peer.watch([this](const AmqpPeer::Frame& frame) {
      const std::lock_guard lock(mutex_);
      asked_.push_back(std::to_string(frame.channel) + " " + name_of(frame.payload));
      if (asked_.back().ends_with("channel.open")) tags_[frame.channel] = 0;
    });
    while (true) {
      const AmqpPeer::Publish publish = peer.next_publish();
      peer.write(ack(publish.channel, ++tags_[publish.channel]));
    }
  }
  static std::string name_of(const std::string& payload) {
    const auto id = payload.substr(0, 4);
    const auto is = [&](std::uint16_t of_class, std::uint16_t method) {
      return id == short_number(of_class) + short_number(method);
    };
    if (is(20, 10)) return "channel.open";
    if (is(20, 40)) return "channel.close";
    if (is(40, 10)) return "exchange.declare";
    if (is(50, 10)) return "queue.declare";
    if (is(60, 40)) return "basic.publish";
    if (is(85, 10)) return "confirm.select";
    return "connection.close";
  }

  std::mutex mutex_;
  std::vector<std::string> asked_;
  std::map<std::uint16_t, std::uint64_t> tags_;
  ScriptedAmqpServer server_{[this](AmqpPeer& peer) { serve(peer); }};
};

class RabbitMqBrokerTest : public ::testing::Test {
 protected:
  ~RabbitMqBrokerTest() override { broker.close(events, 1s); }

  RabbitMqConfig& config(const std::string& queue, const std::string& exchange = {}) {
    RabbitMqConfig& added = configs.emplace_back(base());
    added.queue = queue;
    added.exchange = exchange;
    added.routing_key = exchange.empty() ? "" : "key";
    return added;
  }
  void start(const std::vector<const BrokerConfig*>& destinations) {
    broker.start(LaneContext{.destinations = destinations, .waker = Waker([] {})});
  }
  void connect() {
    broker.connect(events);
    run_until([&] { return events.connections == 1; });
  }
  void run_until(const std::function<bool()>& done) {
    for (const TimePoint deadline = Clock::now() + 5s; !done();) {
      ASSERT_LT(Clock::now(), deadline);
      const WaitRequest request = broker.wait_request();
      pollfd fd{.fd = request.fd, .events = POLLIN, .revents = 0};
      ::poll(&fd, 1, 5);
      broker.poll(events);
    }
  }
  /// Offers a message to a destination until it is confirmed.
  void deliver(std::uint32_t destination) {
    Message content;
    content.body = "body";
    content.id = "id-" + std::to_string(messages.size());
    const OutboundMessage* const message = &messages.emplace_back(content, destination);
    const std::size_t before = events.completed.size();
    std::size_t taken = 0;
    run_until([&] {
      if (taken == 0) taken = broker.send(std::span(&message, 1), events);
      return events.completed.size() > before;
    });
    EXPECT_EQ(events.completed.back().message, message);
    EXPECT_EQ(events.completed.back().code, StatusCode::ok) << events.completed.back().text;
  }

  ConfirmingServer server;
  std::deque<RabbitMqConfig> configs;
  std::deque<OfferedMessage> messages;
  RecordedEvents events;
  RabbitMqBroker broker{base()};

 private:
  RabbitMqConfig base() {
    RabbitMqConfig config;
    config.hosts = {{"127.0.0.1", static_cast<std::uint16_t>(server.port())}};
    return config;
  }
};

TEST_F(RabbitMqBrokerTest, ADestinationMayComeWhileItIsConnected) {
  start({&config("first")});
  connect();
  deliver(0);
  RabbitMqConfig& second = config("second");
  second.declare.emplace();
  broker.add_destination(second, 1);
  deliver(1);
  broker.add_destination(config("", "events"), 2);
  deliver(2);
  EXPECT_THAT(server.take_asked(),
              ElementsAre("2 channel.open", "2 confirm.select", "2 basic.publish",  // first
                          "1 channel.open", "1 queue.declare", "2 basic.publish",   // second
                          "1 exchange.declare", "3 channel.open", "3 confirm.select", "3 basic.publish"));
}

TEST_F(RabbitMqBrokerTest, ADestinationMayComeBeforeItIsConnected) {
  start({&config("first")});
  broker.add_destination(config("", "events"), 1);
  connect();
  deliver(1);
  deliver(0);
}

TEST_F(RabbitMqBrokerTest, AChannelThatNobodyUsesIsClosedAndUsedAgain) {
  start({&config("first"), &config("", "old"), &config("", "old")});
  connect();
  deliver(1);
  broker.remove_destination(1);
  deliver(2);
  server.take_asked();
  broker.remove_destination(2);
  broker.add_destination(config("", "new"), 2);  // before the close is confirmed
  deliver(2);
  deliver(0);
  EXPECT_THAT(server.take_asked(), ElementsAre("3 channel.close", "1 exchange.declare", "3 channel.open",
                                               "3 confirm.select", "3 basic.publish", "2 basic.publish"));
}

TEST_F(RabbitMqBrokerTest, ARemovedDestinationIsNotAskedForOnTheNextConnection) {
  RabbitMqConfig& removed = config("removed");
  removed.declare.emplace();
  start({&config("first"), &removed, &config("", "gone")});
  broker.remove_destination(1);
  broker.remove_destination(2);
  connect();
  deliver(0);
  EXPECT_THAT(server.take_asked(), ElementsAre("2 channel.open", "2 confirm.select", "2 basic.publish"));
}

/// A broker with two hosts, of which the first ends every connection before anybody has logged in.
class TwoHostsTest : public ::testing::Test {
 protected:
  TwoHostsTest() {
    config.hosts = {{"127.0.0.1", static_cast<std::uint16_t>(dead.port())},
                    {"127.0.0.1", static_cast<std::uint16_t>(good.port())}};
    events.time = Clock::now();
    broker = std::make_unique<RabbitMqBroker>(config);
    broker->start(LaneContext{.destinations = {}, .waker = Waker([] {})});
  }
  ~TwoHostsTest() override { broker->close(events, 1s); }
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
  RabbitMqConfig config;
  RecordedEvents events;
  std::unique_ptr<RabbitMqBroker> broker;
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

}  // namespace
}  // namespace action_triggers::detail
