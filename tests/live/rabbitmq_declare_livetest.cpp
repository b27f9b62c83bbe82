// SPDX-License-Identifier: MIT
// What params.declare makes on a real RabbitMQ, and what happens when somebody deletes it.
#include <sstream>

#include "action_triggers/broker_registry.hpp"
#include "live/rabbitmq_support.hpp"

namespace action_triggers::tests {
namespace {

using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::Not;
using ::testing::SizeIs;

class RabbitMqDeclareTest : public RabbitMqLiveTest {
 protected:
  /// params of a destination with exchange_; `declare` is JSON.
  [[nodiscard]] std::string exchange(const std::string& declare,
                                     const std::string& routing_key = "order.created") const {
    return R"("exchange": ")" + exchange_ + R"(", "routing_key": ")" + routing_key +
           R"(", "key_as_routing_key": true, "declare": )" + declare;
  }
  [[nodiscard]] std::string topic_with_queue() const {
    return R"({"type": "topic", "queues": [{"queue": ")" + queue_ + R"(", "bind": ["order.#"]}]})";
  }
  void expect_in_queue(int count) const {
    const auto received = drain_queue(queue_);
    ASSERT_THAT(received, SizeIs(count));
    for (std::size_t i = 0; i < received.size(); ++i) EXPECT_EQ(received[i].body, std::to_string(i));
  }
  static std::string listed(const std::string& what, const std::string& name) {
    std::string found;
    std::istringstream lines(Servers::rabbitmqctl("-q --no-table-headers " + what));
    for (std::string line; std::getline(lines, line);) {
      if (line.find(name) != std::string::npos) found += line + "\n";
    }
    return found;
  }

  const std::string exchange_ = unique("declared-exchange");
  const std::string queue_ = unique("declared-queue");
};

TEST_F(RabbitMqDeclareTest, AnExchangeAndItsQueuesAreMadeAndReceive) {
  const std::string mails = queue_ + ".mails";
  TriggerDispatcher dispatcher(config_with(rabbitmq(
      "b", exchange(R"({"type": "topic", "auto_delete": true, "arguments": {"alternate-exchange": "amq.fanout"},
                        "queues": [{"queue": ")" +
                    queue_ + R"(", "type": "quorum", "bind": ["order.#"]}, {"queue": ")" + mails +
                    R"(", "durable": false, "bind": [{"routing_key": "mail.*"}, "order.paid"]}]})"))));
  ASSERT_THAT(dispatcher.fire("b", "0").wait(), IsOk());
  ASSERT_THAT(dispatcher.fire("b", Message{.body = "1", .key = "order.paid"}).wait(), IsOk());
  ASSERT_THAT(dispatcher.fire("b", Message{.body = "mail", .key = "mail.sent"}).wait(), IsOk());
  EXPECT_EQ(listed("list_exchanges name type durable auto_delete", exchange_), exchange_ + "\ttopic\ttrue\ttrue\n");
  EXPECT_THAT(listed("list_exchanges name arguments", exchange_), HasSubstr("amq.fanout"));
  EXPECT_EQ(listed("list_queues name durable type", mails), mails + "\tfalse\tclassic\n");
  expect_in_queue(2);
  const auto received = drain_queue(mails);
  ASSERT_THAT(received, SizeIs(2));
  EXPECT_EQ(received[0].body, "1");
  EXPECT_EQ(received[1].body, "mail");
  const DeliveryReport lost = dispatcher.fire("b", Message{.body = "x", .key = "other"}).wait();
  EXPECT_THAT(lost, HasCode(StatusCode::unroutable)) << "no queue is bound by this key, so none can be gone";
}

TEST_F(RabbitMqDeclareTest, AHeadersExchangeIsBoundByArguments) {
  TriggerDispatcher dispatcher(
      config_with(rabbitmq("b", exchange(R"({"type": "headers", "queues": [{"queue": ")" + queue_ +
                                         R"(", "bind": [{"arguments": {"x-match": "any", "kind": "mail"}}]}]})"))));
  Message message{.body = "0"};
  message.headers.push_back({"kind", "mail"});
  EXPECT_THAT(dispatcher.fire("b", message).wait(), IsOk());
  EXPECT_THAT(dispatcher.fire("b", "without the header").wait(), HasCode(StatusCode::unroutable));
  expect_in_queue(1);
}

TEST_F(RabbitMqDeclareTest, AnExchangeThatWasDeletedIsDeclaredAgainWithItsBindings) {
  TriggerDispatcher dispatcher(config_with(rabbitmq("b", exchange(topic_with_queue()))));
  for (int round = 0; round < 3; ++round) {
    ASSERT_THAT(dispatcher.fire("b", "first").wait(), IsOk());
    ASSERT_THAT(drain_queue(queue_), SizeIs(1));
    with_pika("ch.exchange_delete(\"" + exchange_ + "\")");
    if (round == 2) with_pika("ch.queue_delete(\"" + queue_ + "\")");
    const auto deliveries = fire_many(dispatcher, "b", round == 0 ? 1 : 100);
    for (const Delivery& delivery : deliveries) ASSERT_THAT(delivery.wait(), IsOk());
    expect_in_queue(static_cast<int>(deliveries.size()));
  }
}

TEST_F(RabbitMqDeclareTest, NothingIsLostWhileTheExchangeIsDeletedUnderLoad) {
  constexpr int rounds = 5;
  constexpr int in_a_round = 1'000;
  std::vector<Delivery> deliveries;
  TriggerDispatcher dispatcher(config_with(rabbitmq("b", exchange(topic_with_queue()))));
  for (int i = 0; i < rounds * in_a_round; ++i) {
    deliveries.push_back(dispatcher.fire("b", std::to_string(i)));
    if (i % in_a_round == in_a_round / 2) with_pika("ch.exchange_delete(\"" + exchange_ + "\")");
  }
  for (const Delivery& delivery : deliveries) EXPECT_THAT(delivery.wait(), IsOk());
  std::set<std::string> bodies;
  for (const Received& message : drain_queue(queue_)) bodies.insert(message.body);
  EXPECT_THAT(bodies, SizeIs(rounds * in_a_round));
}

TEST_F(RabbitMqDeclareTest, ABoundQueueThatIsGoneIsDeclaredAgain) {
  TriggerDispatcher dispatcher(
      config_with(rabbitmq("b", exchange(R"({"type": "topic", "queues": [{"queue": ")" + queue_ +
                                         R"(", "auto_delete": true, "bind": ["order.#"]}]})"))));
  ASSERT_THAT(dispatcher.fire("b", "first").wait(), IsOk());
  // It deletes itself when its consumer leaves.
  with_pika("ch.basic_consume(\"" + queue_ + "\", lambda *a: None, auto_ack=True); c.process_data_events(0)");
  for (const Delivery& delivery : fire_many(dispatcher, "b", 100)) ASSERT_THAT(delivery.wait(), IsOk());
  with_pika("ch.queue_unbind(\"" + queue_ + "\", \"" + exchange_ + "\", \"order.#\")");
  ASSERT_THAT(dispatcher.fire("b", "100").wait(), IsOk());
  expect_in_queue(101);
}

TEST_F(RabbitMqDeclareTest, EverythingIsDeclaredOnEveryConnection) {
  TriggerDispatcher dispatcher(config_with(rabbitmq("b", exchange(topic_with_queue()))));
  ASSERT_THAT(dispatcher.fire("b", "first").wait(), IsOk());
  with_pika("ch.queue_delete(\"" + queue_ + "\"); ch.exchange_delete(\"" + exchange_ + "\")");
  Servers::rabbitmqctl("-q close_all_connections test");
  ASSERT_THAT(dispatcher.fire("b", "0").wait(), IsOk());
  expect_in_queue(1);
}

TEST_F(RabbitMqDeclareTest, OthersOnTheExchangeNeedNotDeclareIt) {
  TriggerDispatcher dispatcher(
      config_with(rabbitmq("other", R"("exchange": ")" + exchange_ + R"(", "routing_key": "order.created")") + "," +
                  rabbitmq("b", exchange(topic_with_queue()))));
  ASSERT_THAT(dispatcher.fire("b", "0").wait(), IsOk());
  EXPECT_THAT(dispatcher.fire("other", "1").wait(), IsOk());
  expect_in_queue(2);
}

TEST_F(RabbitMqDeclareTest, ARefusalSaysWhatToDo) {
  with_pika("ch.exchange_declare(\"" + exchange_ + "\", \"fanout\", durable=True)");
  {
    TriggerDispatcher dispatcher(config_with(rabbitmq("b", exchange(topic_with_queue()))));
    const DeliveryReport report = dispatcher.fire("b", "x").wait();
    EXPECT_THAT(report, HasCode(StatusCode::invalid_argument));
    EXPECT_EQ(report.persistence, Persistence::not_persisted);
    EXPECT_THAT(report.status.message(), HasSubstr("received 'topic' but current is 'fanout'"));
    EXPECT_THAT(report.status.message(), HasSubstr("make params.declare agree with it"));
  }
  const std::string user = unique("user");
  Servers::rabbitmqctl("-q add_user " + user + " pw");
  Servers::rabbitmqctl("-q set_permissions " + user + " none '.*' '.*'");
  {
    TriggerDispatcher dispatcher(
        config_with(broker("b", "rabbitmq", rabbitmq_conn(R"(, "username": ")" + user + R"(", "password": "pw")"),
                           exchange(R"({"type": "fanout"})"))));
    const DeliveryReport report = dispatcher.fire("b", "x").wait();
    EXPECT_THAT(report, HasCode(StatusCode::permission_denied));
    EXPECT_THAT(report.status.message(), HasSubstr("access to exchange '" + exchange_ + "'"));
    EXPECT_THAT(report.status.message(), HasSubstr("set_permissions"));
  }
  Servers::rabbitmqctl("-q delete_user " + user);
}

/// At a type that it does not know RabbitMQ 3 ends the connection; RabbitMQ 4 ends the channel.
TEST_F(RabbitMqDeclareTest, AnExchangeOfAnUnknownTypeDisturbsNobodyForLong) {
  TriggerDispatcher dispatcher(config_with(rabbitmq("bad", exchange(R"({"type": "x-nobody-brings-it"})")) + "," +
                                           rabbitmq("good", R"("queue": ")" + queue_ + R"(", "declare": true)")));
  const DeliveryReport report = dispatcher.fire("bad", "x").wait();
  EXPECT_THAT(report, HasCode(StatusCode::invalid_argument));
  EXPECT_THAT(report.status.message(), HasSubstr("exchange type 'x-nobody-brings-it'"));
  EXPECT_THAT(report.status.message(),
              HasSubstr("enable the plugin that brings the type, or correct params.declare.type"));
  for (int round = 0; round < 3; ++round) {
    EXPECT_THAT(dispatcher.fire("bad", "x").wait(), HasCode(StatusCode::invalid_argument));
    const DeliveryReport good = dispatcher.fire("good", std::to_string(round)).wait();
    EXPECT_THAT(good, IsOk());
    EXPECT_EQ(good.attempts, 1U) << "the connection was kept";
  }
  expect_in_queue(3);
}

TEST_F(RabbitMqDeclareTest, ArgumentsOfEveryTypeArrive) {
  TriggerDispatcher dispatcher(config_with(rabbitmq(
      "b", R"("queue": ")" + queue_ + R"(", "declare": {"arguments": {"x-fraction": 1.5, "x-list": [1, "two", [true]],
             "x-table": {"a": {"b": -2.25}}, "x-max-length": 5}})")));
  ASSERT_THAT(dispatcher.fire("b", "0").wait(), IsOk());
  std::string arguments =
      Servers::rabbitmqctl("-q eval '{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"" + queue_ +
                           "\">>)), amqqueue:get_arguments(Q).'");
  std::erase_if(arguments, [](char c) { return c == ' ' || c == '\n'; });
  EXPECT_THAT(arguments, HasSubstr(R"({<<"x-fraction">>,double,1.5})"));
  EXPECT_THAT(arguments, HasSubstr(R"({<<"x-list">>,array,[{long,1},{longstr,<<"two">>},{array,[{bool,true}]}]})"));
  EXPECT_THAT(arguments, HasSubstr(R"({<<"x-table">>,table,[{<<"a">>,table,[{<<"b">>,double,-2.25}]}]})"));
  EXPECT_THAT(arguments, HasSubstr(R"({<<"x-max-length">>,long,5})"));
  expect_in_queue(1);
}

TEST_F(RabbitMqDeclareTest, PingTriesWhatAFireWouldDeclare) {
  const auto ping = [&](const std::string& declare, bool send) {
    const Config config = config_with(rabbitmq("b", exchange(declare)));
    return BrokerRegistry::builtin().find("rabbitmq")->ping(*config.find("b"), {.timeout = 10s, .send = send});
  };
  for (int i = 0; i < 2; ++i) {
    const PingReport nothing = ping(topic_with_queue(), false);
    EXPECT_THAT(nothing.status, IsOk());
    EXPECT_THAT(nothing.detail, HasSubstr("does not exist yet, and will be declared")) << "the first made nothing";
  }
  EXPECT_EQ(listed("list_queues name", queue_), "");
  const PingReport sent = ping(topic_with_queue(), true);
  EXPECT_THAT(sent.status, IsOk());
  EXPECT_THAT(sent.detail, HasSubstr("confirmed"));
  EXPECT_THAT(drain_queue(queue_), SizeIs(1)) << "the queue was declared and bound";
  EXPECT_THAT(ping(topic_with_queue(), false).status, IsOk());
  const PingReport otherwise = ping(R"({"type": "direct"})", false);
  EXPECT_THAT(otherwise.status, HasCode(StatusCode::invalid_argument));
  EXPECT_THAT(otherwise.status.message(), HasSubstr("make params.declare agree with it"));
  const PingReport other_queue =
      ping(R"({"type": "topic", "queues": [{"queue": ")" + queue_ + R"(", "durable": false}]})", false);
  EXPECT_THAT(other_queue.status, HasCode(StatusCode::invalid_argument));
  EXPECT_THAT(other_queue.status.message(), HasSubstr("inequivalent arg 'durable' for queue '" + queue_ + "'"));
}

}  // namespace
}  // namespace action_triggers::tests
