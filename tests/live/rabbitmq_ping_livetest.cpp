// SPDX-License-Identifier: MIT
// RabbitMQ, the real one: `action-triggers ping` says what would become of a fire.
#include "action_triggers/broker_registry.hpp"
#include "live/rabbitmq_support.hpp"

namespace action_triggers::tests {
namespace {

using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::Not;
using ::testing::SizeIs;

/// What `action-triggers ping` says of one destination.
class RabbitMqPingTest : public RabbitMqLiveTest {
 protected:
  static PingReport ping(const std::string& params, bool send = false, const std::string& conn = rabbitmq_conn(),
                         std::chrono::milliseconds timeout = 10s) {
    const Config config = config_with(broker("b", "rabbitmq", conn, params));
    const BrokerRegistry registry = BrokerRegistry::builtin();
    return registry.find("rabbitmq")->ping(*config.find("b"), PingOptions{.timeout = timeout, .send = send});
  }
  /// conn_details of a user with these permissions.
  std::string conn_of_user(const std::string& permissions) {
    Servers::rabbitmqctl("-q add_user " + user_ + " pw");
    Servers::rabbitmqctl("-q set_permissions " + user_ + " " + permissions);
    return rabbitmq_conn(R"(, "username": ")" + user_ + R"(", "password": "pw")");
  }
  /// An exchange with good_ bound to it, both of the broker's administrator.
  std::string exchange_of_type(const std::string& type) {
    const std::string exchange = unique("ping");
    with_pika("ch.exchange_declare(\"" + exchange + "\", \"" + type + "\", durable=True); ch.queue_declare(\"" + good_ +
              "\", durable=True); ch.queue_bind(\"" + good_ + "\", \"" + exchange + "\", \"key\")");
    return R"("exchange": ")" + exchange + R"(", "routing_key": "key")";
  }

  const std::string user_ = unique("user");
};

TEST_F(RabbitMqPingTest, FindsThatAQueueWasDeclaredOtherwise) {
  with_pika("ch.queue_declare(\"" + good_ + "\", durable=False)");
  const PingReport report = ping(declared(good_));
  EXPECT_THAT(report.status, HasCode(StatusCode::invalid_argument));
  EXPECT_THAT(report.status.message(), HasSubstr("durable"));
}

TEST_F(RabbitMqPingTest, FindsThatTheUserMayNotDeclare) {
  with_pika("ch.queue_declare(\"" + good_ + "\", durable=True)");
  EXPECT_THAT(ping(declared(good_)).status, IsOk());
  const PingReport report = ping(declared(good_), false, conn_of_user("none '.*' '.*'"));
  EXPECT_THAT(report.status, HasCode(StatusCode::permission_denied));
  Servers::rabbitmqctl("-q delete_user " + user_);
}

TEST_F(RabbitMqPingTest, FindsThatTheUserMayNotWrite) {
  const std::string conn = conn_of_user("'.*' '^$' '.*'");
  for (const std::string& params : {exchange_of_type("topic"), queue_named(good_), declared(bad_)}) {
    const PingReport report = ping(params, false, conn);
    EXPECT_THAT(report.status, HasCode(StatusCode::permission_denied)) << params;
    EXPECT_THAT(report.status.message(), HasSubstr("set_permissions"));
  }
  Servers::rabbitmqctl("-q delete_user " + user_);
}

TEST_F(RabbitMqPingTest, FindsAnInternalExchange) {
  with_pika("ch.exchange_declare(\"" + good_ + "\", \"topic\", internal=True)");
  const PingReport report = ping(R"("exchange": ")" + good_ + R"(", "routing_key": "key")");
  EXPECT_THAT(report.status, HasCode(StatusCode::permission_denied));
  EXPECT_THAT(report.status.message(), HasSubstr("internal exchange"));
}

TEST_F(RabbitMqPingTest, FindsAForbiddenRoutingKey) {
  const std::string conn = conn_of_user("'.*' '.*' '.*'");
  Servers::rabbitmqctl("-q set_topic_permissions " + user_ + " amq.topic '^allowed' '.*'");
  const auto to_key = [](const std::string& key) {
    return R"("exchange": "amq.topic", "routing_key": ")" + key + "\"";
  };
  EXPECT_THAT(ping(to_key("allowed"), false, conn).status, IsOk());
  EXPECT_THAT(ping(to_key("forbidden"), false, conn).status, HasCode(StatusCode::permission_denied));
  const PingReport by_key = ping(to_key("forbidden") + R"(, "key_as_routing_key": true)", false, conn);
  EXPECT_THAT(by_key.status, IsOk()) << "the messages' keys may be allowed";
  EXPECT_THAT(by_key.detail, HasSubstr("access to topic 'forbidden'"));
  Servers::rabbitmqctl("-q delete_user " + user_);
}

TEST_F(RabbitMqPingTest, WhatItTriesReachesNobody) {
  EXPECT_THAT(ping(exchange_of_type("fanout")).status, IsOk());
  EXPECT_THAT(ping(queue_named(good_)).status, IsOk());
  EXPECT_THAT(ping(queue_named(good_), false, conn_of_user("none '.*' '.*'")).status, IsOk());
  EXPECT_THAT(drain_queue(good_), SizeIs(0));
  Servers::rabbitmqctl("-q delete_user " + user_);
}

TEST_F(RabbitMqPingTest, AQueueThatAFireWouldMakeIsMadeForATestMessageOnly) {
  EXPECT_THAT(ping(declared(good_)).detail, HasSubstr("will be declared"));
  EXPECT_THAT(ping(declared(good_)).detail, HasSubstr("will be declared")) << "it was not made";
  const PingReport report = ping(declared(good_), true);
  EXPECT_THAT(report.status, IsOk());
  EXPECT_THAT(report.detail, HasSubstr("confirmed"));
  EXPECT_THAT(drain_queue(good_), SizeIs(1));
}

TEST_F(RabbitMqPingTest, SaysThatTheBrokerBlocksPublishers) {
  with_pika("ch.queue_declare(\"" + good_ + "\", durable=True)");
  Servers::rabbitmqctl("-q set_vm_memory_high_watermark 0");
  const PingReport report = ping(R"("queue": ")" + good_ + "\"", true, rabbitmq_conn(), 1s);
  Servers::rabbitmqctl("-q set_vm_memory_high_watermark 0.6");
  EXPECT_THAT(report.status, HasCode(StatusCode::timed_out));
  EXPECT_THAT(report.status.message(), HasSubstr("blocked publishers, low on memory"));
}

TEST_F(RabbitMqPingTest, DoesNotWaitForABrokerThatBlocksPublishers) {
  with_pika("ch.queue_declare(\"" + good_ + "\", durable=True)");
  Servers::rabbitmqctl("-q set_vm_memory_high_watermark 0");
  const PingReport report = ping(queue_named(good_), false, rabbitmq_conn(), 60s);
  Servers::rabbitmqctl("-q set_vm_memory_high_watermark 0.6");
  EXPECT_THAT(report.status, IsOk());
  EXPECT_THAT(report.detail, HasSubstr("was not tried: it has blocked publishers, low on memory"));
}

TEST_F(RabbitMqPingTest, ReadsBackFromAnExchangeThatCopies) {
  const PingReport report = ping(exchange_of_type("topic"), true);
  EXPECT_THAT(report.status, IsOk());
  EXPECT_THAT(report.detail, HasSubstr("read back"));
  EXPECT_THAT(report.detail, Not(HasSubstr("not read back")));
  EXPECT_THAT(drain_queue(good_), SizeIs(1));
}

/// A type that the broker does not have by itself, as those that give each queue a share.
TEST_F(RabbitMqPingTest, TakesNoShareOfWhatAnotherTypeDistributes) {
  Servers::rabbitmqctl("eval 'rabbit_registry:register(exchange, <<\"x-share\">>, rabbit_exchange_type_fanout).'");
  const PingReport report = ping(exchange_of_type("x-share"), true);
  EXPECT_THAT(report.status, IsOk());
  EXPECT_THAT(report.detail, HasSubstr("not read back"));
  EXPECT_THAT(report.detail, HasSubstr("x-share"));
  EXPECT_THAT(drain_queue(good_), SizeIs(1));
}

TEST_F(RabbitMqPingTest, AUserWhoMayOnlyWriteCanSend) {
  const std::string params = exchange_of_type("direct");
  const PingReport report = ping(params, true, conn_of_user("none '.*' none"));
  EXPECT_THAT(report.status, IsOk());
  EXPECT_THAT(report.detail, HasSubstr("the user may not declare"));
  EXPECT_THAT(drain_queue(good_), SizeIs(1));
  Servers::rabbitmqctl("-q delete_user " + user_);
}

}  // namespace
}  // namespace action_triggers::tests
