// SPDX-License-Identifier: MIT
// Connecting in the background: which host, what a failure says, and an attempt that nobody waits for.
#include "brokers/rabbitmq/amqp_connector.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>

#include "action_triggers/host_port.hpp"
#include "action_triggers/rabbitmq.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "brokers/rabbitmq/amqp_login.hpp"
#include "brokers/rabbitmq/rabbitmq_type.hpp"
#include "support/host_names.hpp"
#include "support/scripted_amqp_server.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using namespace tests;
using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::Not;

/// A port at which nobody listens: bound, so that nobody else can take it.
class DeadPort {
 public:
  DeadPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_, generic, size) != 0 || ::getsockname(socket_, generic, &size) != 0) {
      throw std::runtime_error("no port");
    }
    host = {"127.0.0.1", ntohs(address.sin_port)};
  }
  DeadPort(const DeadPort&) = delete;
  DeadPort& operator=(const DeadPort&) = delete;
  ~DeadPort() { ::close(socket_); }

  HostPort host;

 private:
  int socket_;
};

/// A server whose queue of connections is full: the next one is established when it is asked for again, a second after
/// there is room.
class FullListener {
 public:
  explicit FullListener(const char* at, std::uint16_t port = 0) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, at, &address.sin_addr);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 0) != 0 ||
        ::getsockname(listener_, generic, &size) != 0 || ::connect(first_, generic, size) != 0) {
      throw std::runtime_error("no full listener");
    }
    host = {at, ntohs(address.sin_port)};
  }
  FullListener(const FullListener&) = delete;
  FullListener& operator=(const FullListener&) = delete;
  ~FullListener() {
    for (const int fd : {first_, accepted_, listener_}) ::close(fd);
  }

  void accept_one() { accepted_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC); }

  HostPort host;

 private:
  const int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int first_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);  // fills the queue
  int accepted_ = -1;
};

HostPort host_of(const ScriptedAmqpServer& server) { return {"127.0.0.1", static_cast<std::uint16_t>(server.port())}; }

RabbitMqConfig config_for(std::vector<HostPort> hosts) {
  RabbitMqConfig config;
  config.hosts = std::move(hosts);
  config.connect_timeout = 2s;
  config.connection_name = "the test";
  return config;
}

AmqpConnector::Result connect(const RabbitMqConfig& config, std::size_t first_host = 0) {
  std::promise<void> done;
  AmqpConnector connector(config, first_host, [&] { done.set_value(); });
  done.get_future().wait();
  AmqpConnector::Result result;
  EXPECT_TRUE(connector.take(result));
  return result;
}

ScriptedAmqpServer::Script accept_everybody() {
  return [](AmqpPeer& peer) {
    peer.log_in();
    peer.read_on();
  };
}

/// Refuses what the client sends after start-ok, as RabbitMQ refuses credentials.
ScriptedAmqpServer::Script refuse_login(std::atomic<int>& attempts) {
  return [&attempts](AmqpPeer& peer) {
    ++attempts;
    peer.read_protocol_header();
    peer.write(start_method());
    peer.read_frame();
    peer.write(
        method(0, connection_close,
               short_number(403) + short_string("ACCESS_REFUSED - bad password") + short_number(0) + short_number(0)));
    peer.read_on();
  };
}

TEST(AmqpConnectorTest, ConnectsToTheFirstHostThatAnswers) {
  const DeadPort dead;
  ScriptedAmqpServer alive(accept_everybody());
  const AmqpConnector::Result result = connect(config_for({dead.host, host_of(alive)}));
  EXPECT_THAT(result.status, IsOk());
  EXPECT_EQ(result.host_index, 1U);
  EXPECT_TRUE(result.connection);
}

TEST(AmqpConnectorTest, BeginsWithTheHostThatItIsTold) {
  ScriptedAmqpServer first(accept_everybody());
  ScriptedAmqpServer second(accept_everybody());
  const DeadPort third;
  const RabbitMqConfig config = config_for({host_of(first), host_of(second), third.host});
  EXPECT_EQ(connect(config, 0).host_index, 0U);
  EXPECT_EQ(connect(config, 1).host_index, 1U);
  EXPECT_EQ(connect(config, 2).host_index, 0U) << "after the last comes the first";
}

TEST(AmqpConnectorTest, SaysOfEveryHostWhyItFailed) {
  const DeadPort first;
  const DeadPort second;
  const AmqpConnector::Result result = connect(config_for({first.host, second.host}));
  EXPECT_THAT(result.status, HasCode(StatusCode::unavailable));
  EXPECT_THAT(result.status.message(), HasSubstr("connect to " + to_string(first.host)));
  EXPECT_THAT(result.status.message(), HasSubstr("; connect to " + to_string(second.host)));
  EXPECT_THAT(result.status.message(), HasSubstr("Connection refused; nothing listens there"));
  EXPECT_FALSE(result.connection);
}

TEST(AmqpConnectorTest, SaysThatThereAreTooManyOpenFiles) {
  const DeadPort somewhere;
  RabbitMqConfig config = config_for({somewhere.host});
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  AmqpHandle connection;
  const Status status = open_amqp_connection(config, somewhere.host, connection);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(status, HasCode(StatusCode::unavailable));
  EXPECT_THAT(status.message(), HasSubstr("Too many open files"));
  EXPECT_THAT(status.message(), HasSubstr("ulimit -n"));
}

TEST(AmqpConnectorTest, SaysWhenTheServerResetsTheConnection) {
  ScriptedAmqpServer server([](AmqpPeer& peer) {
    peer.read_protocol_header();
    peer.reset();
  });
  const AmqpConnector::Result result = connect(config_for({host_of(server)}));
  EXPECT_THAT(result.status, HasCode(StatusCode::unavailable));
  EXPECT_THAT(result.status.message(), HasSubstr("Connection reset by peer; check that this is RabbitMQ's port"));
}

TEST(AmqpConnectorTest, TheTimeoutIsForConnectingAndLoginTogether) {
  FullListener listener("127.0.0.1");
  RabbitMqConfig config = config_for({listener.host});
  config.connect_timeout = 2s;
  const auto began = std::chrono::steady_clock::now();
  auto attempt = std::async(std::launch::async, [&] { return connect(config); });
  EXPECT_EQ(attempt.wait_for(500ms), std::future_status::timeout);
  listener.accept_one();
  const AmqpConnector::Result result = attempt.get();
  EXPECT_THAT(result.status.message(), HasSubstr("log in to")) << "it was connected, and then heard nothing";
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2'600ms);
}

TEST(AmqpConnectorTest, APingTakesItsTimeoutForAllHostsTogether) {
  ScriptedAmqpServer one([](AmqpPeer& peer) { peer.stop_reading(); });
  ScriptedAmqpServer two([](AmqpPeer& peer) { peer.stop_reading(); });
  ScriptedAmqpServer three([](AmqpPeer& peer) { peer.stop_reading(); });
  const auto began = std::chrono::steady_clock::now();
  const PingReport report =
      ping_rabbitmq(config_for({host_of(one), host_of(two), host_of(three)}), PingOptions{.timeout = 1s});
  EXPECT_THAT(report.status, HasCode(StatusCode::unavailable));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1'700ms);
}

TEST(AmqpConnectorTest, AHostThatIsSilentLeavesTimeForTheNext) {
  ScriptedAmqpServer silent([](AmqpPeer& peer) { peer.stop_reading(); });
  ScriptedAmqpServer alive(accept_everybody());
  const RabbitMqConfig config = config_for({host_of(silent), host_of(alive)});
  const AmqpConnectorResult result = connect_to_any_host(config, 0, Clock::now() + config.connect_timeout);
  EXPECT_THAT(result.status, IsOk()) << "half of the time each";
  EXPECT_EQ(result.host_index, 1U);
}

TEST(AmqpConnectorTest, APingSaysOfEveryHostWhyItFailed) {
  ScriptedAmqpServer silent([](AmqpPeer& peer) { peer.stop_reading(); });
  const DeadPort dead;
  const PingReport report = ping_rabbitmq(config_for({host_of(silent), dead.host}), PingOptions{.timeout = 300ms});
  EXPECT_THAT(report.status, HasCode(StatusCode::unavailable));
  EXPECT_THAT(report.status.message(), HasSubstr("log in to " + to_string(host_of(silent))));
  EXPECT_THAT(report.status.message(), HasSubstr("; connect to " + to_string(dead.host) + ": Connection refused"));
}

/// The host with two addresses, of which the first drops what is sent to it, as a firewall does.
TEST(AmqpConnectorTest, AnAddressThatIsSilentLeavesTimeForTheNext) {
  ScriptedAmqpServer alive(accept_everybody());
  const FullListener silent("127.0.0.2", host_of(alive).port);
  const AmqpConnector::Result result = connect(config_for({{host_with_two_addresses, host_of(alive).port}}));
  EXPECT_THAT(result.status, IsOk());
}

TEST(AmqpConnectorTest, SaysOfEveryAddressWhyItFailed) {
  const DeadPort dead;
  const FullListener silent("127.0.0.2", dead.host.port);
  RabbitMqConfig config = config_for({{host_with_two_addresses, dead.host.port}});
  config.connect_timeout = 200ms;
  const Status status = connect(config).status;
  EXPECT_THAT(status, HasCode(StatusCode::unavailable));
  EXPECT_THAT(status.message(), HasSubstr("at 127.0.0.2: connect to two.example:" + std::to_string(dead.host.port)));
  EXPECT_THAT(status.message(), HasSubstr("; at 127.0.0.1: connect to two.example"));
  EXPECT_THAT(status.message(), HasSubstr("Connection refused; nothing listens there"));
}

TEST(AmqpConnectorTest, AddressesThatFailForTheSameReasonAreOneFailure) {
  const DeadPort dead;
  const Status status = connect(config_for({{host_with_two_addresses, dead.host.port}})).status;
  EXPECT_THAT(status.message(), HasSubstr("connect to two.example"));
  EXPECT_THAT(status.message(), HasSubstr("Connection refused"));
  EXPECT_THAT(status.message(), Not(HasSubstr("127.0.0.")));
}

TEST(AmqpConnectorTest, APingDoesNotWaitForANameServer) {
  const PingReport report = ping_rabbitmq(config_for({{host_without_an_answer, 5672}}), PingOptions{.timeout = 50ms});
  EXPECT_THAT(report.status, HasCode(StatusCode::unavailable));
  EXPECT_THAT(report.status.message(), HasSubstr("connect to silent.example:5672: the name was not resolved in time"));
}

TEST(AmqpConnectorTest, AHostWhoseNameIsNotResolvedDoesNotHoldUpTheNext) {
  ScriptedAmqpServer alive(accept_everybody());
  RabbitMqConfig config = config_for({{host_without_an_answer, 5672}, host_of(alive)});
  config.connect_timeout = 500ms;
  EXPECT_THAT(connect(config).status, IsOk());
}

TEST(AmqpConnectorTest, SaysThatANameDoesNotExist) {
  const Status status = connect(config_for({{"no-such-host.invalid", 5672}})).status;
  EXPECT_THAT(status, HasCode(StatusCode::unavailable));
  EXPECT_THAT(status.message(), HasSubstr("connect to no-such-host.invalid:5672: the name was not resolved: "));
  EXPECT_THAT(status.message(), HasSubstr("check conn_details.host"));
}

TEST(AmqpConnectorTest, WrongCredentialsAreNotTriedElsewhere) {
  std::atomic<int> attempts = 0;
  ScriptedAmqpServer first(refuse_login(attempts));
  ScriptedAmqpServer second(refuse_login(attempts));
  const AmqpConnector::Result result = connect(config_for({host_of(first), host_of(second)}));
  EXPECT_THAT(result.status, HasCode(StatusCode::unauthenticated));
  EXPECT_THAT(result.status.message(), HasSubstr(to_string(host_of(first)) + ": the broker says 403 ACCESS_REFUSED"));
  EXPECT_THAT(result.status.message(), HasSubstr("conn_details.username and password"));
  EXPECT_EQ(attempts, 1);
}

TEST(AmqpConnectorTest, GuestIsToldThatItComesInOverLoopbackOnly) {
  std::atomic<int> attempts = 0;
  ScriptedAmqpServer server(refuse_login(attempts));
  RabbitMqConfig config = config_for({host_of(server)});
  EXPECT_THAT(connect(config).status.message(), HasSubstr("check conn_details.username and password"));
  const FarPeers far;
  const Status status = connect(config).status;
  EXPECT_THAT(status, HasCode(StatusCode::unauthenticated));
  EXPECT_THAT(status.message(), HasSubstr("RabbitMQ lets 'guest' in from its own machine only"));
  config.username = "somebody";
  EXPECT_THAT(connect(config).status.message(), HasSubstr("check conn_details.username and password"));
}

TEST(AmqpConnectorTest, AServerThatSaysNothingTimesOut) {
  ScriptedAmqpServer silent([](AmqpPeer& peer) { peer.stop_reading(); });
  RabbitMqConfig config = config_for({host_of(silent)});
  config.connect_timeout = 100ms;
  const AmqpConnector::Result result = connect(config);
  EXPECT_THAT(result.status, HasCode(StatusCode::unavailable));
  EXPECT_THAT(result.status.message(), HasSubstr("log in to " + to_string(config.hosts[0])));
}

TEST(AmqpConnectorTest, AnnouncesWhatAPublisherNeeds) {
  std::promise<std::string> start_ok;
  ScriptedAmqpServer server([&](AmqpPeer& peer) {
    peer.read_protocol_header();
    peer.write(start_method());
    start_ok.set_value(peer.read_frame().payload);
  });
  connect(config_for({host_of(server)}));
  const std::string announced = start_ok.get_future().get();
  EXPECT_THAT(announced, HasSubstr("connection.blocked"));
  EXPECT_THAT(announced, HasSubstr("authentication_failure_close")) << "by rabbitmq-c";
  EXPECT_THAT(announced, Not(HasSubstr("consumer_cancel_notify")));
  EXPECT_THAT(announced, HasSubstr("the test"));
}

TEST(AmqpConnectorTest, NobodyWaitsForAnAbandonedAttempt) {
  ScriptedAmqpServer silent([](AmqpPeer& peer) { peer.stop_reading(); });
  RabbitMqConfig config = config_for({host_of(silent)});
  config.connect_timeout = 500ms;
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> ended = done->get_future();
  {
    AmqpConnector connector(config, 0, [done] { done->set_value(); });
    AmqpConnector::Result result;
    EXPECT_FALSE(connector.take(result));
  }
  EXPECT_EQ(ended.wait_for(0s), std::future_status::timeout) << "the attempt goes on";
  ended.wait();  // and ends
}

}  // namespace
}  // namespace action_triggers::detail
