// SPDX-License-Identifier: MIT
// Destinations that come and go while the connection lives, against a scripted server.
#include "brokers/rabbitmq/rabbitmq_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "support/scripted_amqp_server.hpp"
#include "unit/rabbitmq_support.hpp"

#include "action_triggers/rabbitmq.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using namespace tests;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Confirms everything, and writes down what it is asked for: "channel class.method".
class ConfirmingServer {
 public:
  [[nodiscard]] int port() const { return server_.port(); }
  std::vector<std::string> take_asked() {
    const std::lock_guard lock(mutex_);
    return std::exchange(asked_, {});
  }
  /// The message with this id is not confirmed.
  void ignore(const std::string& id) {
    const std::lock_guard lock(mutex_);
    ignored_.insert(id);
  }
  // Of the next connection.
  std::atomic<std::uint16_t> channel_max = 2'047;
  std::atomic<bool> ignores_closes = false;
  /// At the message with this id the channel is closed.
  void close_at(const std::string& id) {
    const std::lock_guard lock(mutex_);
    closing_.insert(id);
  }
  /// From now on asking for this queue ends the connection, as when a quorum queue has no majority. Empty: no queue.
  void fail_at(const std::string& queue) {
    const std::lock_guard lock(mutex_);
    fails_at_ = queue;
  }
  /// With the next message, what was ignored on the first publish channel is confirmed, too.
  void confirm_next_too() {
    const std::lock_guard lock(mutex_);
    confirms_ignored_ = true;
  }

 private:
  void serve(AmqpPeer& peer) {
    peer.log_in(131'072, 0, channel_max);
    if (ignores_closes) peer.ignore_closes();
    peer.watch([this, &peer](const AmqpPeer::Frame& frame) {
      const std::lock_guard lock(mutex_);
      asked_.push_back(std::to_string(frame.channel) + " " + name_of(frame.payload));
      if (asked_.back().ends_with("channel.open")) tags_[frame.channel] = 0;
      if (fails_at_.empty() || !asked_.back().ends_with("queue.declare")) return;
      if (frame.payload.find(fails_at_) == std::string::npos) return;
      peer.write(method(0, connection_close,
                        short_number(541) + short_string("INTERNAL_ERROR - Cannot declare a queue") + short_number(50) +
                            short_number(10)));
      peer.stop_reading();
    });
    while (true) {
      const AmqpPeer::Publish publish = peer.next_publish();
      const std::uint64_t tag = ++tags_[publish.channel];
      const std::lock_guard lock(mutex_);
      if (closing_.contains(publish.message_id)) {
        peer.write(method(publish.channel, channel_close,
                          short_number(406) + short_string("PRECONDITION_FAILED - message size 9 is larger") +
                              short_number(60) + short_number(40)));
      } else if (!ignored_.contains(publish.message_id))
        peer.write(ack(publish.channel, tag));
      if (std::exchange(confirms_ignored_, false)) peer.write(ack(17, 0, true));
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
  std::set<std::string> ignored_;
  std::set<std::string> closing_;
  std::string fails_at_;
  bool confirms_ignored_ = false;
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
    run_until([&, before = events.connections] { return events.connections > before; });
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
    const auto its_outcome = [&] {  // others may be confirmed before it
      return std::find_if(events.completed.begin(), events.completed.end(),
                          [&](const RecordedEvents::Completed& one) { return one.message == message; });
    };
    std::size_t taken = 0;
    run_until([&] {
      if (taken == 0) taken = broker.send(std::span(&message, 1), events);
      return its_outcome() != events.completed.end();
    });
    ASSERT_NE(its_outcome(), events.completed.end());
    EXPECT_EQ(its_outcome()->code, StatusCode::ok) << its_outcome()->text;
  }

  /// Offers a message to a destination, and returns what becomes of it at once.
  RecordedEvents::Completed offer(std::uint32_t destination) {
    const OutboundMessage* const message = &messages.emplace_back(Message{.body = "body"}, destination);
    const std::size_t before = events.completed.size();
    broker.send(std::span(&message, 1), events);
    return events.completed.size() > before ? events.completed.back() : RecordedEvents::Completed{};
  }
  /// Connects, and waits until the server ends the connection.
  void connect_in_vain() {
    broker.connect(events);
    run_until([&, before = events.disconnects.size()] { return events.disconnects.size() > before; });
  }

  /// Publishes a message that the server does not confirm.
  void publish_ignored(std::uint32_t destination) {
    server.ignore("id-" + std::to_string(messages.size()));
    publish(destination);
  }
  /// Publishes a message at which the server closes the channel, and nobody else's comes back.
  void publish_closing(std::uint32_t destination) {
    server.close_at("id-" + std::to_string(messages.size()));
    const std::size_t before = events.completed.size();
    publish(destination);
    run_until([&] { return events.completed.size() > before; });
    ASSERT_EQ(events.completed.size(), before + 1);
    EXPECT_EQ(events.completed.back().message, &messages.back());
    EXPECT_EQ(events.completed.back().code, StatusCode::too_large) << events.completed.back().text;
  }
  void publish(std::uint32_t destination) {
    Message content;
    content.body = "body";
    content.id = "id-" + std::to_string(messages.size());
    const OutboundMessage* const message = &messages.emplace_back(content, destination);
    run_until([&] { return broker.send(std::span(&message, 1), events) == 1; });
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
              ElementsAre("17 channel.open", "17 confirm.select", "17 basic.publish",  // first
                          "1 channel.open", "1 queue.declare", "17 basic.publish",     // second
                          "1 exchange.declare", "18 channel.open", "18 confirm.select", "18 basic.publish"));
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
  broker.add_destination(config("", "new"), 2);
  deliver(2);
  deliver(0);
  EXPECT_THAT(server.take_asked(), ElementsAre("18 channel.close", "1 exchange.declare", "18 channel.open",
                                               "18 confirm.select", "18 basic.publish", "17 basic.publish"));
}

TEST_F(RabbitMqBrokerTest, ARemovedDestinationIsNotAskedForOnTheNextConnection) {
  RabbitMqConfig& removed = config("removed");
  removed.declare.emplace();
  start({&config("first"), &removed, &config("", "gone")});
  broker.remove_destination(1);
  broker.remove_destination(2);
  connect();
  deliver(0);
  EXPECT_THAT(server.take_asked(), ElementsAre("17 channel.open", "17 confirm.select", "17 basic.publish"));
}

TEST_F(RabbitMqBrokerTest, OthersLeaveAChannelOnWhichNothingIsConfirmed) {
  start({&config("stuck"), &config("good")});
  connect();
  events.time = Clock::now();
  publish_ignored(0);
  deliver(1);
  server.take_asked();
  *events.time += 2s;
  deliver(1);
  EXPECT_THAT(server.take_asked(), ElementsAre("18 channel.open", "18 confirm.select", "18 basic.publish"));
  publish_ignored(0);
  deliver(1);
  EXPECT_THAT(server.take_asked(), ElementsAre("17 basic.publish", "18 basic.publish"));
}

TEST_F(RabbitMqBrokerTest, AChannelOnWhichNothingIsEverConfirmedIsGivenUp) {
  start({&config("stuck")});
  connect();
  events.time = Clock::now();
  publish_ignored(0);
  *events.time += 30s;
  run_until([&] { return !events.completed.empty(); });
  EXPECT_EQ(events.completed[0].code, StatusCode::unavailable);
  EXPECT_THAT(events.completed[0].text, HasSubstr("nothing for 30 seconds of what was sent to the queue 'stuck'"));
  EXPECT_EQ(events.completed[0].persistence, Persistence::possibly_persisted);
  EXPECT_TRUE(events.disconnects.empty());
  deliver(0);
  EXPECT_THAT(server.take_asked(),
              ElementsAre("17 channel.open", "17 confirm.select", "17 basic.publish",  // the ignored one
                          "17 channel.close", "18 channel.open", "18 confirm.select", "18 basic.publish"));
}

TEST_F(RabbitMqBrokerTest, ABrokerThatClosesNoChannelIsLeftWhenThereIsNoOther) {
  server.channel_max = 3;  // one to declare on, two to publish on
  server.ignores_closes = true;
  start({&config("stuck")});
  connect();
  events.time = Clock::now();
  for (int given_up = 0; given_up < 2; ++given_up) {
    deliver(0);  // so the channel is open
    publish_ignored(0);
    const std::size_t before = events.completed.size();
    *events.time += 30s;
    run_until([&] { return events.completed.size() > before; });
    EXPECT_TRUE(events.disconnects.empty());
  }
  *events.time += 30s;
  run_until([&] { return !events.disconnects.empty(); });
  EXPECT_THAT(events.disconnects.at(0).message(),
              HasSubstr("the broker does not answer channel.close, and allows no other channel to publish on"));
}

TEST_F(RabbitMqBrokerTest, WhoIsOutOfTroubleSharesAChannelAgain) {
  start({&config("stuck"), &config("good")});
  connect();
  events.time = Clock::now();
  publish_ignored(0);
  *events.time += 2s;
  deliver(1);
  server.take_asked();
  server.confirm_next_too();
  deliver(1);
  run_until([&] { return events.completed.size() == 3; });
  *events.time += 10s;
  deliver(0);
  EXPECT_THAT(server.take_asked(), ElementsAre("18 basic.publish", "17 channel.close", "18 basic.publish"));
}

TEST_F(RabbitMqBrokerTest, WhoseMessageClosedTheChannelSharesNoneForAWhile) {
  start({&config("bad"), &config("good")});
  connect();
  events.time = Clock::now();
  publish_closing(0);
  deliver(1);
  publish_ignored(1);
  publish_closing(0);
  *events.time += 11s;
  deliver(0);
  publish_closing(0);
}

TEST_F(RabbitMqBrokerTest, AQueueThatEndsTheConnectionIsAskedForLessAndLess) {
  RabbitMqConfig& bad = config("bad");
  RabbitMqConfig& declared = config("declared");
  bad.declare.emplace();
  declared.declare.emplace();
  start({&bad, &declared, &config("plain")});
  server.fail_at("bad");
  events.time = Clock::now();
  connect_in_vain();  // one of the two is to blame
  connect_in_vain();  // that one
  connect();
  deliver(1);
  deliver(2);
  const RecordedEvents::Completed refused = offer(0);
  EXPECT_EQ(refused.code, StatusCode::unavailable);
  EXPECT_THAT(refused.text, HasSubstr("asking for the queue 'bad' made the broker close the connection"));
  EXPECT_THAT(refused.text, HasSubstr("541 INTERNAL_ERROR - Cannot declare a queue"));
  *events.time += 1s;
  offer(0);
  run_until([&] { return events.disconnects.size() == 3; });
  connect();
  deliver(2);
  *events.time += 1s;
  EXPECT_EQ(offer(0).code, StatusCode::unavailable) << "two seconds now";
  server.fail_at("");
  *events.time += 1s;
  deliver(0);
  EXPECT_EQ(events.disconnects.size(), 3U);
}

/// How long the kernel waits for an acknowledgement.
TEST_F(RabbitMqBrokerTest, APeerThatHasVanishedIsNoticedWhileItsMessagesHaveTime) {
  const auto patience = [&] {
    unsigned ms = 0;
    socklen_t size = sizeof ms;
    ::getsockopt(broker.wait_request().fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &size);
    return std::chrono::milliseconds(ms);
  };
  RabbitMqConfig& patient = config("patient");
  patient.timeout = 1h;
  start({&patient});
  connect();
  EXPECT_EQ(patience(), 1min);
  broker.add_destination(config("usual"), 1);  // 30 s
  EXPECT_EQ(patience(), 15s);
  RabbitMqConfig& hasty = config("hasty");
  hasty.timeout = 1s;
  broker.add_destination(hasty, 2);
  EXPECT_EQ(patience(), 10s);
}

TEST_F(RabbitMqBrokerTest, WaitsForNothingWhenNothingIsUnderWay) {
  start({&config("q")});
  connect();
  deliver(0);
  events.time = Clock::now() + 1s;
  broker.poll(events);
  *events.time += 1s;
  broker.poll(events);
  EXPECT_GT(broker.wait_request().at, *events.time + 5s) << "but for the next heartbeat";
}

}  // namespace
}  // namespace action_triggers::detail
