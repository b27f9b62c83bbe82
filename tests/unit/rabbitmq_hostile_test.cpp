// SPDX-License-Identifier: MIT
// Servers that break AMQP: a clear error, no crash, no hang, every message reported.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <random>

#include "action_triggers/action_triggers.hpp"
#include "action_triggers/broker_registry.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "brokers/rabbitmq/amqp.hpp"
#include "support/scripted_amqp_server.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using namespace tests;
using ::testing::AnyOf;
using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;

Config config_for(const ScriptedAmqpServer& server, const std::string& timeout) {
  return parse_config(
      R"({"brokers": {"b": {"broker_type": "rabbitmq", "conn_details": {"host": "127.0.0.1", "port": )" +
      std::to_string(server.port()) +
      R"(, "connect_timeout": 0.4}, "params": {"queue": "q", "retry": {"max_attempts": 1}, "timeout_secs": )" +
      timeout + "}}}}");
}

Message message(const std::string& id) {
  Message message;
  message.body = "body";
  message.id = id;
  return message;
}

struct Hostile {
  std::string name;
  ScriptedAmqpServer::Script script;
  std::string error;  // part of the report's text
};
std::ostream& operator<<(std::ostream& out, const Hostile& hostile) { return out << hostile.name; }

ScriptedAmqpServer::Script instead_of_start(const std::string& bytes) {
  return [bytes](AmqpPeer& peer) {
    peer.read_protocol_header();
    peer.write(bytes);
    peer.read_on();
  };
}
ScriptedAmqpServer::Script after_publish(std::function<std::string(const AmqpPeer::Publish&)> bytes) {
  return [bytes = std::move(bytes)](AmqpPeer& peer) {
    peer.log_in();
    const AmqpPeer::Publish publish = peer.next_publish();
    peer.write(bytes(publish));
    peer.read_on();
  };
}
ScriptedAmqpServer::Script after_publish(const std::string& bytes) {
  return after_publish([bytes](const AmqpPeer::Publish&) { return bytes; });
}

/// A table that holds a table that holds a table.
std::string nested_tables(std::size_t bytes) {
  constexpr std::size_t level = 7;  // name, type, length
  std::string table;
  for (std::size_t left = bytes / level; left > 0; --left) {
    table += short_string("t") + "F" + long_number(static_cast<std::uint32_t>((left - 1) * level));
  }
  return table;
}

class HostileServerTest : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileServerTest, IsAnErrorThatSaysWhatIsWrong) {
  ScriptedAmqpServer server(GetParam().script);
  const auto began = std::chrono::steady_clock::now();
  {
    TriggerDispatcher dispatcher(config_for(server, "1"));
    const Delivery delivery = dispatcher.fire("b", message("id-1"));
    const DeliveryReport report = delivery.wait();
    EXPECT_THAT(report.status.code(), AnyOf(StatusCode::unavailable, StatusCode::timed_out));
    EXPECT_THAT(report.status.message(), HasSubstr(GetParam().error));
    if (!GetParam().error.empty()) {
      EXPECT_THAT(report.status.message(), HasSubstr("127.0.0.1:" + std::to_string(server.port())));
    }
    EXPECT_TRUE(dispatcher.close(5s).complete());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, 8s);
}

INSTANTIATE_TEST_SUITE_P(
    , HostileServerTest,
    ::testing::Values(
        Hostile{"speaks_HTTP", instead_of_start("HTTP/1.1 400 Bad Request\r\n\r\n"), "invalid AMQP"},
        Hostile{"speaks_another_AMQP", instead_of_start(std::string("AMQP\0\1\0\0", 8)), "log in to"},
        Hostile{"hangs_up_at_once", [](AmqpPeer&) {}, "log in to"},
        Hostile{"says_nothing", [](AmqpPeer& peer) { peer.stop_reading(); }, "timed out"},
        Hostile{"sends_a_frame_of_four_gigabytes",
                instead_of_start(octet(method_frame) + short_number(0) + long_number(0xFFFFFFFF)), "log in to"},
        Hostile{"sends_a_frame_without_its_end",
                instead_of_start(octet(method_frame) + short_number(0) + long_string("abcd") + octet(0)), "AMQP"},
        Hostile{"sends_a_table_longer_than_its_frame",
                instead_of_start(method(0, connection_start, octet(0) + octet(9) + long_number(1'000'000) + "abc")),
                "AMQP"},
        Hostile{"begins_with_the_end", instead_of_start(method(0, connection_open_ok, short_string(""))), "unexpected method"},
        Hostile{"sends_a_method_that_does_not_exist", instead_of_start(method(0, {77, 77})), "AMQP"},
        Hostile{"allows_frames_of_eight_bytes",
                [](AmqpPeer& peer) {
                  peer.log_in(8);
                  peer.read_on();
                },
                ""},  // rabbitmq-c goes on with 4,096, the least that AMQP allows
        Hostile{"confirms_what_was_not_sent",
                after_publish([](const AmqpPeer::Publish& publish) { return ack(publish.channel, 77); }),
                "delivery tag 77"},
        Hostile{"confirms_nothing_at_all",
                after_publish([](const AmqpPeer::Publish& publish) { return ack(publish.channel, 0); }), "delivery tag 0"},
        Hostile{"speaks_on_a_channel_that_is_not_open", after_publish(ack(99, 1)), "channel 99"},
        Hostile{"sends_an_unknown_method_after_a_publish", after_publish(method(2, {60, 250})), "AMQP"},
        Hostile{"cuts_a_frame_in_two_after_a_publish",
                [](AmqpPeer& peer) {
                  peer.log_in();
                  const AmqpPeer::Publish publish = peer.next_publish();
                  peer.write(ack(publish.channel, 1).substr(0, 10));
                },
                "connection closed"},
        Hostile{"confirms_in_the_middle_of_a_return",
                after_publish([](const AmqpPeer::Publish& publish) {
                  return return_method(publish.channel) + ack(publish.channel, 1);
                }),
                "in the middle of"},
        Hostile{"returns_without_a_return",
                after_publish([](const AmqpPeer::Publish& publish) {
                  return return_header(publish.channel, publish.message_id, 0);
                }),
                ""},
        Hostile{"returns_a_message_that_never_ends",
                [](AmqpPeer& peer) {
                  peer.log_in();
                  const AmqpPeer::Publish publish = peer.next_publish();
                  peer.write(return_method(publish.channel) +
                             return_header(publish.channel, publish.message_id, 1ULL << 60));
                  while (true) peer.write(frame(body_frame, publish.channel, std::string(100'000, 'x')));
                },
                ""},
        Hostile{"sends_heartbeats_without_end",
                [](AmqpPeer& peer) {
                  peer.log_in();
                  peer.next_publish();
                  while (true) peer.write(frame(heartbeat_frame, 0, ""));
                },
                ""},
        Hostile{"closes_the_connection_with_an_error",
                after_publish(method(0, connection_close,
                                     short_number(541) + short_string("INTERNAL_ERROR") + short_number(0) +
                                         short_number(0))),
                "541 INTERNAL_ERROR"},
        Hostile{"blocks_for_ever", after_publish(method(0, connection_blocked, short_string("low on everything"))),
                "low on everything"}),
    [](const auto& instance) { return instance.param.name; });

TEST(HostileServer, TablesNestedTenThousandTimesDoNotOverflowTheStack) {
  // The client's first frames may have 64 KiB.
  ScriptedAmqpServer server([](AmqpPeer& peer) {
    peer.read_protocol_header();
    peer.write(start_method(nested_tables(65'000)));
    peer.read_frame();  // start-ok, from one who has survived it
    peer.write(
        method(0, connection_close, short_number(541) + short_string("ENOUGH") + short_number(0) + short_number(0)));
    peer.read_on();
  });
  TriggerDispatcher dispatcher(config_for(server, "1"));
  // rabbitmq-c 0.11 decodes it all; 0.15 refuses it.
  const bool decodes_all = amqp_version_number() < AMQP_VERSION_CODE(0, 12, 0, 0);
  EXPECT_THAT(dispatcher.fire("b", message("id-1")).wait().status.message(),
              HasSubstr(decodes_all ? "ENOUGH" : "invalid AMQP data"));
}

TEST(HostileServer, OneThatEndsTheConnectionOfAPingSaysWhy) {
  ScriptedAmqpServer server(after_publish(method(
      0, connection_close, short_number(320) + short_string("CONNECTION_FORCED") + short_number(0) + short_number(0))));
  const Config config = config_for(server, "1");
  const BrokerRegistry registry = BrokerRegistry::builtin();
  for (const bool send : {false, true}) {
    const PingReport report =
        registry.find("rabbitmq")->ping(*config.find("b"), PingOptions{.timeout = 1s, .send = send});
    EXPECT_THAT(report.status, HasCode(StatusCode::unavailable));
    EXPECT_THAT(report.status.message(), HasSubstr("320 CONNECTION_FORCED"));
  }
}

TEST(HostileServer, OneWithoutTransactionsIsNotTriedByAPing) {
  ScriptedAmqpServer server([](AmqpPeer& peer) {
    peer.log_in();
    peer.watch([&](const AmqpPeer::Frame& frame) {
      if (!frame.payload.starts_with(short_number(90) + short_number(10))) return;  // tx.select
      peer.write(method(0, connection_close,
                        short_number(540) + short_string("NOT_IMPLEMENTED") + short_number(0) + short_number(0)));
    });
    peer.read_on();
  });
  const Config config = config_for(server, "1");
  const PingReport report =
      BrokerRegistry::builtin().find("rabbitmq")->ping(*config.find("b"), PingOptions{.timeout = 60s});
  EXPECT_THAT(report.status, IsOk());
  EXPECT_THAT(report.detail, HasSubstr("whether it takes messages was not tried: the broker says 540"));
}

TEST(HostileServer, ReturnsOfTwoChannelsMayBeInterleaved) {
  ScriptedAmqpServer server([](AmqpPeer& peer) {
    peer.log_in();
    const AmqpPeer::Publish one = peer.next_publish();
    const AmqpPeer::Publish two = peer.next_publish();
    // Which of the two comes first is not said.
    const bool first_is_one = one.message_id == "id-1";
    peer.write(return_method(one.channel, first_is_one ? "one" : "two") +
               return_method(two.channel, first_is_one ? "two" : "one") +
               return_header(one.channel, one.message_id, 4) + return_header(two.channel, two.message_id, 4) +
               frame(body_frame, one.channel, "body") + frame(body_frame, two.channel, "body") + ack(one.channel, 1) +
               ack(two.channel, 1));
    peer.read_on();
  });
  const std::string conn = R"("conn_details": {"host": "127.0.0.1", "port": )" + std::to_string(server.port()) + "}";
  TriggerDispatcher dispatcher(parse_config(R"({"brokers": {"a": {"broker_type": "rabbitmq", )" + conn +
                                            R"(, "params": {"exchange": "one", "routing_key": "q"}}, )" +
                                            R"("b": {"broker_type": "rabbitmq", )" + conn +
                                            R"(, "params": {"exchange": "two", "routing_key": "q"}}}})"));
  const Delivery one = dispatcher.fire("a", message("id-1"));
  const Delivery two = dispatcher.fire("b", message("id-2"));
  EXPECT_THAT(one.wait(), HasCode(StatusCode::unroutable));
  EXPECT_THAT(two.wait(), HasCode(StatusCode::unroutable));
}

/// More than the sockets' buffers hold.
const std::string& large_body() {
  static const std::string body(60UL << 20U, 'x');
  return body;
}

TEST(HostileServer, OneThatStopsReadingHoldsUpNothing) {
  std::atomic<int> connections = 0;
  ScriptedAmqpServer server([&](AmqpPeer& peer) {
    ++connections;
    peer.log_in();
    peer.write(ack(peer.next_publish().channel, 1));
    peer.stop_reading();
  });
  TriggerDispatcher dispatcher(config_for(server, "1"));
  ASSERT_THAT(dispatcher.fire("b", message("id-1")).wait(), IsOk());
  const auto began = std::chrono::steady_clock::now();
  const Delivery large = dispatcher.fire("b", large_body());
  const Delivery behind = dispatcher.fire("b", message("id-3"));
  EXPECT_THAT(large.wait(), HasCode(StatusCode::timed_out));
  EXPECT_THAT(behind.wait(), HasCode(StatusCode::timed_out));
  EXPECT_EQ(large.wait().persistence, Persistence::possibly_persisted);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s) << "half written or not, it is given up";
  EXPECT_THAT(dispatcher.fire("b", message("id-4")).wait(), HasCode(StatusCode::timed_out));
  EXPECT_TRUE(dispatcher.close(5s).complete());
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
  EXPECT_EQ(connections, 1);
}

/// As RabbitMQ does it with an alarm of memory or disk: a header tells it that there is a publisher, and it reads no
/// more.
TEST(HostileServer, OneThatBlocksInTheMiddleOfABodyIsWaitedFor) {
  std::atomic<int> connections = 0;
  std::promise<void> alarm_ends;
  ScriptedAmqpServer server([&](AmqpPeer& peer) {
    ++connections;
    peer.log_in();
    const std::uint16_t channel = peer.next_header();
    peer.write(method(0, connection_blocked, short_string("low on memory")));
    alarm_ends.get_future().wait();
    std::size_t body = 0;
    while (body < large_body().size()) body += peer.read_frame().payload.size();
    EXPECT_EQ(body, large_body().size());
    peer.write(method(0, connection_unblocked) + ack(channel, 1));
    peer.write(ack(peer.next_publish().channel, 2));
    peer.read_on();
  });
  TriggerDispatcher dispatcher(config_for(server, "30"));
  const Delivery large = dispatcher.fire("b", large_body());
  const Delivery behind = dispatcher.fire("b", message("id-2"));
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (dispatcher.stats().brokers.at("b").state != ConnectionState::blocked &&
         std::chrono::steady_clock::now() < give_up) {
    static_cast<void>(large.wait_for(10ms));
  }
  EXPECT_EQ(dispatcher.stats().brokers.at("b").state, ConnectionState::blocked);
  alarm_ends.set_value();
  EXPECT_THAT(large.wait(), IsOk());
  EXPECT_THAT(behind.wait(), IsOk());
  EXPECT_EQ(large.wait().attempts, 1U);
  EXPECT_EQ(connections, 1);
}

TEST(HostileServer, OneThatTakesALargeMessageGetsThoseOfOtherChannelsBetween) {
  ScriptedAmqpServer server([](AmqpPeer& peer) {
    peer.log_in();
    const std::uint16_t large = peer.next_header();
    const std::uint16_t small = peer.next_header();  // reads over frames of the body
    EXPECT_NE(large, small);
    peer.write(ack(small, 1));
    // There is more of the large one, down to its last frame, which is not full.
    for (AmqpPeer::Frame next; next.channel != large || next.payload.size() == 131'064;) next = peer.read_frame();
    peer.write(ack(large, 1));
    peer.read_on();
  });
  const std::string conn = R"("conn_details": {"host": "127.0.0.1", "port": )" + std::to_string(server.port()) + "}";
  TriggerDispatcher dispatcher(
      parse_config(R"({"brokers": {"a": {"broker_type": "rabbitmq", )" + conn +
                   R"(, "params": {"exchange": "one", "routing_key": "r", "timeout_secs": 10}}, )" +
                   R"("b": {"broker_type": "rabbitmq", )" + conn +
                   R"(, "params": {"exchange": "two", "routing_key": "r", "timeout_secs": 10}}}})"));
  const Delivery large = dispatcher.fire("a", large_body());
  const Delivery small = dispatcher.fire("b", message("id-2"));
  EXPECT_THAT(small.wait(), IsOk());
  EXPECT_THAT(large.wait(), IsOk());
}

TEST(HostileServer, OneThatClosesTheChannelInTheMiddleOfABodyGetsWholeFrames) {
  std::atomic<int> connections = 0;
  ScriptedAmqpServer server([&](AmqpPeer& peer) {
    ++connections;
    peer.log_in();
    const std::uint16_t channel = peer.next_header();
    peer.read_frame();
    peer.write(method(channel, channel_close,
                      short_number(406) + short_string("PRECONDITION_FAILED - message size 62914560 is larger than") +
                          short_number(60) + short_number(40)));
    std::size_t body = 0;
    AmqpPeer::Frame next = peer.read_frame();
    for (; next.type == body_frame; next = peer.read_frame()) body += next.payload.size();
    EXPECT_LT(body, large_body().size() - 1'000'000) << "the rest is not worth sending";
    EXPECT_EQ(next.payload, short_number(20) + short_number(41)) << "channel.close-ok";
    peer.write(ack(peer.next_publish().channel, 1));
    peer.read_on();
  });
  TriggerDispatcher dispatcher(config_for(server, "30"));
  EXPECT_THAT(dispatcher.fire("b", large_body()).wait(), HasCode(StatusCode::too_large));
  EXPECT_THAT(dispatcher.fire("b", message("id-2")).wait(), IsOk());
  EXPECT_EQ(connections, 1);
}

TEST(HostileServer, OneThatConfirmsHalfAMessageIsNotBelieved) {
  ScriptedAmqpServer server([](AmqpPeer& peer) {
    peer.log_in();
    peer.write(ack(peer.next_header(), 1));
    peer.stop_reading();
  });
  TriggerDispatcher dispatcher(config_for(server, "30"));
  const DeliveryReport report = dispatcher.fire("b", large_body()).wait();
  EXPECT_THAT(report, HasCode(StatusCode::unavailable));
  EXPECT_THAT(report.status.message(), HasSubstr("only got in part"));
}

TEST(HostileServer, OneThatAsksForHeartbeatsGetsThem) {
  std::promise<void> two_heartbeats;
  ScriptedAmqpServer server([&](AmqpPeer& peer) {
    peer.log_in(131'072, 1);
    for (int heartbeats = 0; heartbeats < 2;) {
      if (peer.read_frame().type == heartbeat_frame) ++heartbeats;
      peer.write(frame(heartbeat_frame, 0, ""));
    }
    two_heartbeats.set_value();
    peer.read_on();
  });
  TriggerDispatcher dispatcher(config_for(server, "1"));
  EXPECT_EQ(two_heartbeats.get_future().wait_for(5s), std::future_status::ready);
}

TEST(HostileServer, OneThatPromisesHeartbeatsAndIsSilentIsGivenUp) {
  std::promise<void> again;
  std::atomic<int> connections = 0;
  ScriptedAmqpServer server([&](AmqpPeer& peer) {
    if (++connections == 2) again.set_value();
    peer.log_in(131'072, 1);
    peer.read_on();
  });
  TriggerDispatcher dispatcher(config_for(server, "30"));
  const Delivery delivery = dispatcher.fire("b", message("id-1"));
  EXPECT_THAT(delivery.wait().status.message(), HasSubstr("no heartbeat for 2 s"));
  EXPECT_EQ(again.get_future().wait_for(5s), std::future_status::ready);
}

TEST(HostileServer, OneThatIsSlowToOpenAChannelIsAskedForConfirmsMeanwhile) {
  ScriptedAmqpServer server([](AmqpPeer& peer) {
    peer.log_in();
    const AmqpPeer::Frame open = peer.read_frame();
    const AmqpPeer::Frame select = peer.read_frame();  // not before the answer, if the client waits for that
    EXPECT_EQ(open.payload.substr(0, 4), short_number(20) + short_number(10));
    EXPECT_EQ(select.payload.substr(0, 4), short_number(85) + short_number(10));
    peer.write(method(open.channel, channel_open_ok, long_string("")) + method(select.channel, confirm_select_ok));
    peer.write(ack(peer.next_publish().channel, 1));
    peer.read_on();
  });
  TriggerDispatcher dispatcher(config_for(server, "5"));
  EXPECT_THAT(dispatcher.fire("b", message("id-1")).wait(), IsOk());
}

/// A session with some bytes of the server's changed at random. Every message is reported once, and close() ends.
TEST(HostileServer, RandomDamageHasAnOutcome) {
  std::size_t oks = 0;
  std::size_t failures = 0;
  for (unsigned seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    // Each answer has its own chance of being damaged: the same seed, the same damage.
    ScriptedAmqpServer server([seed](AmqpPeer& peer) {
      std::mt19937 random(seed);
      peer.damage([&random](std::string& bytes) {
        if (random() % 4 != 0) return;
        for (auto i = random() % 3 + 1; i > 0; --i) bytes[random() % bytes.size()] = static_cast<char>(random());
      });
      peer.log_in();
      for (std::uint64_t tag = 1;; ++tag) peer.write(ack(peer.next_publish().channel, tag));
    });
    TriggerDispatcher dispatcher(config_for(server, "0.2"));
    std::vector<Delivery> deliveries;
    for (int i = 0; i < 3; ++i) deliveries.push_back(dispatcher.fire("b", message("id-" + std::to_string(i))));
    for (const Delivery& delivery : deliveries) (delivery.wait().status.ok() ? oks : failures) += 1;
    ASSERT_TRUE(dispatcher.close(5s).complete());
  }
  EXPECT_EQ(oks + failures, 300U);
  EXPECT_GT(oks, 25U);       // the damage leaves some sessions whole,
  EXPECT_GT(failures, 25U);  // and breaks others
}

}  // namespace
}  // namespace action_triggers
