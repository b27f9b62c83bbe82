// SPDX-License-Identifier: MIT
// RabbitMQ, the real one: what is fired arrives, and what cannot arrive says why.
#include "live/support.hpp"

namespace action_triggers::tests {
namespace {

using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::Not;
using testing::PersistenceIs;
using ::testing::SizeIs;

class RabbitMqTest : public ::testing::Test {
 protected:
  std::string queue_params(const std::string& extra = {}) const {
    return R"("queue": ")" + queue_ + R"(", "declare": true)" + extra;
  }
  DeliveryReport fire_once(const std::string& conn, const std::string& params, const Message& message) {
    TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", conn, params)));
    return dispatcher.fire("b", message).wait();
  }
  static void declare_with_pika(const std::string& statements) {
    run("/usr/bin/python3 -c 'import pika; c = pika.BlockingConnection(pika.ConnectionParameters(\"" +
        Servers::rabbitmq_host() + "\", " + std::to_string(Servers::rabbitmq_port()) + ")); ch = c.channel(); " +
        statements + "; c.close()'");
  }

  const std::string queue_ = unique("queue");
};

TEST_F(RabbitMqTest, TheSeedsExampleDelivers) {
  declare_with_pika("ch.queue_declare(\"my_queue\", durable=True); ch.queue_purge(\"my_queue\")");
  // The port is the private server's; all else is the seed's, comments included.
  for (const char* root : {R"({"ACTION_BROKERS": %})", R"({"ACTION_TRIGGERS": {"brokers": %}})"}) {
    std::string text = root;
    text.replace(text.find('%'), 1,
                 R"({
    "my_rabbit_mq_broker": {
      "broker_type": "rabbitmq",
      "conn_details": {
        "host": "localhost",
        "port": )" + std::to_string(Servers::rabbitmq_port()) +
                     R"(,
        "username": "guest",
        "password": "guest",
        "virtual_host": "/"
      },
      "params": {
        "queue": "my_queue"  # The name of the queue to which messages will be sent
      }
    }
  })");
    TriggerDispatcher dispatcher(parse_config(text));
    EXPECT_THAT(dispatcher.fire("my_rabbit_mq_broker", R"({"order": 42})").wait(), IsOk());
  }
  const std::string port = std::to_string(Servers::rabbitmq_port());
  EXPECT_EQ(run("amqp-get --server=127.0.0.1 --port=" + port + " -q my_queue"), R"({"order": 42})");
  const auto rest = drain_queue("my_queue");
  ASSERT_THAT(rest, SizeIs(1));
  EXPECT_EQ(rest[0].body, R"({"order": 42})");
}

TEST_F(RabbitMqTest, EveryPartOfAMessageArrives) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte.push_back(static_cast<char>(byte));
  Message message;
  message.body = every_byte;
  message.headers = {{"tenant", "a"}, {"trace", "b"}};
  message.content_type = "application/octet-stream";
  message.id = "id-1";
  message.expiration = 60s;
  message.priority = 5;
  const DeliveryReport report = fire_once(rabbitmq_conn(), queue_params(), message);
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report, PersistenceIs(Persistence::persisted));
  const auto received = drain_queue(queue_);
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_EQ(received[0].body, every_byte);
  for (const char* part :
       {R"("message_id":"id-1")", R"("content_type":"application/octet-stream")", R"("delivery_mode":2)",
        R"("expiration":"60000")", R"("priority":5)", R"("tenant":"a")", R"("trace":"b")", R"("timestamp":)"}) {
    EXPECT_THAT(received[0].properties, HasSubstr(part));
  }
}

TEST_F(RabbitMqTest, PropertiesAndTypesOfHeadersArrive) {
  Message message;
  message.body = "x";
  message.headers = {
      Header::integer("count", -7), Header::boolean("paid", true), {"text", "7"}, Header::list("tags", {"a", 1, true})};
  message.properties = Properties{.type = "order.paid",
                                  .correlation_id = "c-1",
                                  .reply_to = "answers",
                                  .app_id = "shop",
                                  .content_encoding = "identity",
                                  .user_id = "guest",
                                  .timestamp = std::chrono::sys_time<std::chrono::milliseconds>(1'700'000'000'000ms)};
  ASSERT_THAT(fire_once(rabbitmq_conn(), queue_params(), message), IsOk());
  const auto received = drain_queue(queue_);
  ASSERT_THAT(received, SizeIs(1));
  for (const char* part :
       {R"("count":-7)", R"("paid":true)", R"("text":"7")", R"("type":"order.paid")", R"("correlation_id":"c-1")",
        R"("reply_to":"answers")", R"("app_id":"shop")", R"("content_encoding":"identity")",
        R"("timestamp":1700000000)", R"("tags":["a",1,true])", R"("user_id":"guest")"}) {
    EXPECT_THAT(received[0].properties, HasSubstr(part));
  }
}

TEST_F(RabbitMqTest, ItIsConnectedWhenItHasLoggedIn) {
  TriggerDispatcher dispatcher(config_with(
      broker("up", "rabbitmq", rabbitmq_conn(), queue_params()) + ", " +
      broker("down", "rabbitmq", rabbitmq_conn(R"(, "username": "nobody", "password": "wrong")"), queue_params())));
  EXPECT_TRUE(dispatcher.wait_until_connected("up", 30s)) << dispatcher.stats().brokers.at("up").last_error;
  EXPECT_FALSE(dispatcher.wait_until_connected("down", 1s));
  EXPECT_FALSE(dispatcher.wait_until_connected(0s));
}

TEST_F(RabbitMqTest, AListOfRoutingKeysMakesCopies) {
  const std::string copies = unique("copies");
  declare_with_pika("ch.queue_declare(\"" + copies + "\", durable=True)");
  TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(), queue_params())));
  EXPECT_THAT(dispatcher.fire("b", Message{.body = "open", .headers = {Header::list("CC", {copies})}}).wait(), IsOk());
  EXPECT_THAT(dispatcher.fire("b", Message{.body = "blind", .headers = {Header::list("BCC", {copies})}}).wait(),
              IsOk());
  for (const std::string& queue : {queue_, copies}) {
    const auto received = drain_queue(queue);
    ASSERT_THAT(received, SizeIs(2)) << queue;
    EXPECT_EQ(received[0].body, "open");
    EXPECT_THAT(received[0].properties, HasSubstr("\"CC\":[\"" + copies + "\"]"));
    EXPECT_EQ(received[1].body, "blind");
    EXPECT_THAT(received[1].properties, Not(HasSubstr("BCC"))) << "RabbitMQ takes it out";
  }
}

TEST_F(RabbitMqTest, AMessageWithCopiesThatNoQueueTakesIsUnroutable) {
  TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(), "\"queue\": \"" + queue_ + "\"")));
  for (const char* header : {"CC", "BCC"}) {
    const Delivery lost =
        dispatcher.fire("b", Message{.body = "x", .headers = {Header::list(header, {unique("nowhere")}), {"t", "x"}}});
    EXPECT_THAT(lost.wait(), HasCode(StatusCode::unroutable)) << header;
  }
}

TEST_F(RabbitMqTest, TheUserIdOfAnotherUserIsRefusedAndDisturbsNothing) {
  TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(), queue_params())));
  const Delivery before = dispatcher.fire("b", "before");
  const Delivery wrong = dispatcher.fire("b", Message{.body = "x", .properties = Properties{.user_id = "root"}});
  const Delivery after = dispatcher.fire("b", "after");
  EXPECT_THAT(before.wait(), IsOk());
  EXPECT_THAT(wrong.wait(), HasCode(StatusCode::invalid_argument));
  EXPECT_EQ(after.wait().attempts, 1U);
  EXPECT_THAT(after.wait(), IsOk());
}

TEST_F(RabbitMqTest, BodiesOfEverySizeArrive) {
  // Frames hold 131,064 bytes: an exact multiple ends with MSG_MORE set in rabbitmq-c, and must not wait for more.
  TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(), queue_params())));
  const std::vector<std::size_t> sizes{0, 1, 131'063, 131'064, 131'065, 262'128, 1'000'000, 20'000'000 / 2};
  for (const std::size_t size : sizes) {
    const DeliveryReport report = dispatcher.fire("b", std::string(size, 'x')).wait();
    EXPECT_THAT(report, IsOk()) << size;
  }
  const auto received = drain_queue(queue_);
  ASSERT_THAT(received, SizeIs(sizes.size()));
  for (std::size_t i = 0; i < sizes.size(); ++i) EXPECT_EQ(received[i].body.size(), sizes[i]);

  std::chrono::nanoseconds fastest = 1h;  // of a few: the timer would be in the way of each, a busy machine is not
  for (int i = 0; i < 10; ++i) {
    fastest = std::min(fastest, dispatcher.fire("b", std::string(131'064, 'x')).wait().latency);
  }
  EXPECT_LT(fastest, 150ms) << "the tail waited for the kernel's timer";
}

TEST_F(RabbitMqTest, ThroughAnExchangeTheKeyMayOverrideTheRoutingKey) {
  const std::string exchange = unique("exchange");
  declare_with_pika("ch.exchange_declare(\"" + exchange + "\", \"direct\"); ch.queue_declare(\"" + queue_ +
                    "\"); ch.queue_bind(\"" + queue_ + "\", \"" + exchange + "\", \"special\")");
  const std::string params = R"("exchange": ")" + exchange + R"(", "routing_key": "plain", "key_as_routing_key": )";
  Message message;
  message.body = "x";
  message.key = "special";
  EXPECT_THAT(fire_once(rabbitmq_conn(), params + "true", message), IsOk());
  EXPECT_THAT(fire_once(rabbitmq_conn(), params + "false", message), HasCode(StatusCode::unroutable));
  EXPECT_THAT(drain_queue(queue_), SizeIs(1));
}

TEST_F(RabbitMqTest, AQueueIsDeclaredAsAskedFor) {
  const std::string declare =
      R"("queue": ")" + queue_ +
      R"(", "declare": {"type": "quorum", "arguments": {"x-max-length": 10, "x-single-active-consumer": true}})";
  EXPECT_THAT(fire_once(rabbitmq_conn(), declare, {.body = "x"}), IsOk());
  const std::string listed = Servers::rabbitmqctl("-q list_queues name type durable arguments");
  EXPECT_THAT(listed, ::testing::ContainsRegex(queue_ + "\t[a-z_]*quorum[a-z_]*\ttrue.*x-max-length"));
  // Declaring it differently is the broker's error, and the message's outcome.
  const DeliveryReport report = fire_once(rabbitmq_conn(), queue_params(), {.body = "x"});
  EXPECT_THAT(report, HasCode(StatusCode::invalid_argument));
  EXPECT_THAT(report.status.message(), HasSubstr("inequivalent arg"));
}

TEST_F(RabbitMqTest, AMissingQueueIsUnroutable) {
  const DeliveryReport report = fire_once(rabbitmq_conn(), R"("queue": ")" + queue_ + "\"", {.body = "x"});
  EXPECT_THAT(report, HasCode(StatusCode::unroutable));
  EXPECT_THAT(report, PersistenceIs(Persistence::not_persisted));
  EXPECT_THAT(report.status.message(), HasSubstr("declare the queue '" + queue_ + "'"));
}

TEST_F(RabbitMqTest, OnlyTheUnroutableOnesAreReturned) {
  const std::string exchange = unique("exchange");
  declare_with_pika("ch.exchange_declare(\"" + exchange + "\", \"direct\"); ch.queue_declare(\"" + queue_ +
                    "\"); ch.queue_bind(\"" + queue_ + "\", \"" + exchange + "\", \"even\")");
  TriggerDispatcher dispatcher(
      config_with(broker("b", "rabbitmq", rabbitmq_conn(),
                         R"("exchange": ")" + exchange + R"(", "routing_key": "odd", "key_as_routing_key": true)")));
  std::vector<Delivery> deliveries;
  for (int i = 0; i < 1'000; ++i) {
    Message message;
    message.body = std::string(static_cast<std::size_t>(i), 'x');
    message.key = i % 2 == 0 ? "even" : "odd";
    deliveries.push_back(dispatcher.fire("b", message));
  }
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    EXPECT_THAT(deliveries[i].wait(), HasCode(i % 2 == 0 ? StatusCode::ok : StatusCode::unroutable)) << i;
  }
  EXPECT_THAT(drain_queue(queue_), SizeIs(500));
}

TEST_F(RabbitMqTest, AFullQueueThatRejectsIsRejected) {
  const std::string params = R"("queue": ")" + queue_ +
                             R"(", "declare": {"arguments": {"x-max-length": 1, "x-overflow": "reject-publish"}},
                                 "retry": {"max_attempts": 2})";
  TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(), params)));
  EXPECT_THAT(dispatcher.fire("b", "1").wait(), IsOk());
  const DeliveryReport report = dispatcher.fire("b", "2").wait();
  EXPECT_THAT(report, HasCode(StatusCode::rejected));
  EXPECT_EQ(report.attempts, 2U);
  EXPECT_THAT(report, PersistenceIs(Persistence::possibly_persisted)) << "a nack does not say why";
  EXPECT_THAT(report.status.message(), HasSubstr("reject-publish"));
}

TEST_F(RabbitMqTest, AMessageOverTheBrokersLimitIsTooLarge) {
  // The limit that scripts/servers sets is 128 MiB.
  TriggerDispatcher dispatcher(
      config_with(broker("b", "rabbitmq", rabbitmq_conn(), queue_params(R"(, "max_queued_bytes": 1000000000)"))));
  const Delivery before = dispatcher.fire("b", "before");
  const Delivery large = dispatcher.fire("b", std::string(129UL * 1024 * 1024, 'x'));
  const Delivery after = dispatcher.fire("b", "after");
  EXPECT_THAT(large.wait(), HasCode(StatusCode::too_large));
  EXPECT_THAT(large.wait().status.message(), HasSubstr("max_message_size"));
  EXPECT_THAT(before.wait(), IsOk());
  EXPECT_THAT(after.wait(), IsOk()) << "only the guilty message fails";
}

TEST_F(RabbitMqTest, AMissingExchangeIsNotFound) {
  const DeliveryReport report =
      fire_once(rabbitmq_conn(), R"("exchange": ")" + unique("missing") + R"(", "routing_key": "k")", {.body = "x"});
  EXPECT_THAT(report, HasCode(StatusCode::not_found));
  EXPECT_THAT(report, PersistenceIs(Persistence::not_persisted));
  EXPECT_LT(report.latency, 20s);  // not at the deadline
  EXPECT_THAT(report.status.message(), HasSubstr("no exchange"));
}

TEST_F(RabbitMqTest, AnExchangeThatIsMadeLaterIsFound) {
  const std::string exchange = unique("later");
  TriggerDispatcher dispatcher(config_with(
      broker("b", "rabbitmq", rabbitmq_conn(), R"("exchange": ")" + exchange + R"(", "routing_key": "k")")));
  EXPECT_THAT(dispatcher.fire("b", "x").wait(), HasCode(StatusCode::not_found));
  declare_with_pika("ch.exchange_declare(\"" + exchange + "\", \"fanout\"); ch.queue_declare(\"" + queue_ +
                    "\"); ch.queue_bind(\"" + queue_ + "\", \"" + exchange + "\")");
  const auto deadline = Clock::now() + 10s;  // it is asked for again after a second
  Status status(StatusCode::not_found, "");
  while (!status.ok() && Clock::now() < deadline) status = dispatcher.fire("b", "x").wait().status;
  EXPECT_THAT(status, IsOk());
}

TEST_F(RabbitMqTest, AWrongPasswordIsUnauthenticated) {
  const DeliveryReport report =
      fire_once(rabbitmq_conn(R"(, "password": "very-secret")"), queue_params(), {.body = "x"});
  EXPECT_THAT(report, HasCode(StatusCode::unauthenticated));
  EXPECT_THAT(report, PersistenceIs(Persistence::not_persisted));
  EXPECT_LT(report.latency, 20s);  // not at the deadline
  EXPECT_THAT(report.status.message(), HasSubstr("check conn_details.username and password"));
  EXPECT_THAT(report.status.message(), ::testing::Not(HasSubstr("very-secret")));
}

TEST_F(RabbitMqTest, AnUnknownVirtualHostIsNotFound) {
  const DeliveryReport report =
      fire_once(rabbitmq_conn(R"(, "virtual_host": "nowhere")"), queue_params(), {.body = "x"});
  EXPECT_THAT(report, HasCode(StatusCode::not_found));
  EXPECT_LT(report.latency, 20s);  // not at the deadline
  EXPECT_THAT(report.status.message(), HasSubstr("nowhere"));
}

TEST_F(RabbitMqTest, AVirtualHostWithoutAccessIsPermissionDenied) {
  const std::string vhost = unique("vhost");
  Servers::rabbitmqctl("-q add_vhost " + vhost);
  const DeliveryReport report =
      fire_once(rabbitmq_conn(R"(, "virtual_host": ")" + vhost + "\""), queue_params(), {.body = "x"});
  EXPECT_THAT(report, HasCode(StatusCode::permission_denied));
  EXPECT_THAT(report.status.message(), HasSubstr("virtual host"));
  Servers::rabbitmqctl("-q delete_vhost " + vhost);
}

TEST_F(RabbitMqTest, AMissingRightIsPermissionDenied) {
  const std::string user = unique("user");
  Servers::rabbitmqctl("-q add_user " + user + " pw");
  Servers::rabbitmqctl("-q set_permissions " + user + " '.*' 'none' '.*'");
  const DeliveryReport report = fire_once(rabbitmq_conn(R"(, "username": ")" + user + R"(", "password": "pw")"),
                                          R"("exchange": "amq.direct", "routing_key": "k")", {.body = "x"});
  EXPECT_THAT(report, HasCode(StatusCode::permission_denied));
  EXPECT_LT(report.latency, 20s);  // not at the deadline
  EXPECT_THAT(report.status.message(), HasSubstr("set_permissions"));
  Servers::rabbitmqctl("-q delete_user " + user);
}

TEST_F(RabbitMqTest, AnUnreachableHostIsUnavailableAfterMaxAttempts) {
  const std::string conn = R"("conn_details": {"host": "127.0.0.1", "port": 1})";
  const DeliveryReport report = fire_once(conn, queue_params(R"(, "retry": {"max_attempts": 2})"), {.body = "x"});
  EXPECT_THAT(report, HasCode(StatusCode::unavailable));
  EXPECT_THAT(report, PersistenceIs(Persistence::not_persisted));
  EXPECT_EQ(report.attempts, 2U);
  EXPECT_LT(report.latency, 20s);  // not at the deadline
  EXPECT_THAT(report.status.message(), HasSubstr("127.0.0.1:1"));
}

TEST_F(RabbitMqTest, AnUnreachableHostTimesOutWithItsReason) {
  const std::string conn = R"("conn_details": {"host": "127.0.0.1", "port": 1})";
  const DeliveryReport report = fire_once(conn, queue_params(R"(, "timeout_secs": 0.5)"), {.body = "x"});
  EXPECT_THAT(report, HasCode(StatusCode::timed_out));
  EXPECT_THAT(report.status.message(), HasSubstr("127.0.0.1:1"));
  EXPECT_GE(report.latency, 500ms);
  EXPECT_LT(report.latency, 20s);  // how exactly: DeadlinesTest, in virtual time
}

TEST_F(RabbitMqTest, SeveralHostsAreTriedInTurn) {
  const std::string conn = R"("conn_details": {"hosts": ["127.0.0.1:1", ")" + Servers::rabbitmq_host() + ":" +
                           std::to_string(Servers::rabbitmq_port()) + "\"]}";
  EXPECT_THAT(fire_once(conn, queue_params(), {.body = "x"}), IsOk());
}

TEST_F(RabbitMqTest, AnIllegalMessageIsInvalid) {
  TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(), queue_params())));
  Message message;
  message.id = std::string(256, 'i');
  EXPECT_THAT(dispatcher.fire("b", message).wait(), HasCode(StatusCode::invalid_argument));
  message.id.clear();
  message.headers = {{std::string(256, 'h'), ""}};
  EXPECT_THAT(dispatcher.fire("b", message).wait(), HasCode(StatusCode::invalid_argument));
  message.headers = {{"h", std::string(200'000, 'v')}};
  EXPECT_THAT(dispatcher.fire("b", message).wait(), HasCode(StatusCode::invalid_argument));
  message.headers.clear();
  EXPECT_THAT(dispatcher.fire("b", message).wait(), IsOk());
}

TEST_F(RabbitMqTest, TwentyThousandFromFourThreads) {
  {
    TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(), queue_params(", " + roomy))));
    fire_from_four_threads(dispatcher, "b", 20'000);
  }
  expect_all_in_order(drain_queue(queue_), 20'000);
}

TEST_F(RabbitMqTest, TwentyThousandInStrictTurns) {
  {
    TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(), queue_params(", " + roomy))));
    fire_in_strict_turns(dispatcher, "b", 20'000);
  }
  expect_strict_order(drain_queue(queue_), 20'000);
}

TEST_F(RabbitMqTest, ConnectionsThatAreClosedMidRunLoseNothing) {
  constexpr int count = 20'000;
  TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(), queue_params(", " + roomy))));
  std::thread firing([&] {
    for (int i = 0; i < count; ++i) dispatcher.fire("b", Message{.body = std::to_string(i), .id = std::to_string(i)});
  });
  for (int kill = 0; kill < 3; ++kill) Servers::rabbitmqctl("-q close_all_connections --vhost / 'a test'");
  firing.join();
  ASSERT_TRUE(dispatcher.flush(120s));
  EXPECT_EQ(dispatcher.stats().brokers.at("b").delivered, static_cast<std::uint64_t>(count));
  // Duplicates carry the same id; the first copies are in order and complete.
  std::set<std::string> seen;
  int next = 0;
  for (const Received& message : drain_queue(queue_)) {
    EXPECT_EQ(message.id, message.body);
    if (seen.insert(message.id).second) {
      ASSERT_EQ(message.body, std::to_string(next++));
    }
  }
  EXPECT_EQ(next, count);
}

TEST_F(RabbitMqTest, WhileTheBrokerBlocksPublishersMessagesWait) {
  TriggerDispatcher dispatcher(config_with(broker("b", "rabbitmq", rabbitmq_conn(), queue_params())));
  ASSERT_THAT(dispatcher.fire("b", "before").wait(), IsOk());
  Servers::rabbitmqctl("-q set_vm_memory_high_watermark 0");
  const Delivery waiting = dispatcher.fire("b", "the first one brings the news");
  EXPECT_EQ(waiting.wait_for(500ms), nullptr);
  const auto deadline = Clock::now() + 10s;
  while (dispatcher.stats().brokers.at("b").state != ConnectionState::blocked && Clock::now() < deadline) {
    static_cast<void>(waiting.wait_for(10ms));
  }
  EXPECT_EQ(dispatcher.stats().brokers.at("b").state, ConnectionState::blocked);
  Servers::rabbitmqctl("-q set_vm_memory_high_watermark 0.6");
  const DeliveryReport* report = waiting.wait_for(20s);
  ASSERT_NE(report, nullptr);
  EXPECT_THAT(*report, IsOk());
  EXPECT_THAT(dispatcher.fire("b", "after").wait(), IsOk());
}

/// More than sockets hold, for longer than a peer that takes nothing is given otherwise: two heartbeats.
TEST_F(RabbitMqTest, WhileTheBrokerBlocksPublishersALargeMessageWaits) {
  TriggerDispatcher dispatcher(
      // More time than rabbitmqctl takes on a busy machine.
      config_with(
          broker("b", "rabbitmq", rabbitmq_conn(R"(, "heartbeat": 1)"), queue_params(R"(, "timeout_secs": 300)"))));
  ASSERT_THAT(dispatcher.fire("b", "before").wait(), IsOk());
  Servers::rabbitmqctl("-q set_vm_memory_high_watermark 0");
  const std::string body(60'000'000, 'x');
  const Delivery large = dispatcher.fire("b", body);
  const Delivery behind = dispatcher.fire("b", "behind");
  EXPECT_EQ(large.wait_for(6s), nullptr);
  EXPECT_EQ(dispatcher.stats().brokers.at("b").state, ConnectionState::blocked);
  Servers::rabbitmqctl("-q set_vm_memory_high_watermark 0.6");
  EXPECT_THAT(large.wait(), IsOk());
  EXPECT_THAT(behind.wait(), IsOk());
  EXPECT_EQ(large.wait().attempts, 1U) << "the connection was kept";
  EXPECT_EQ(behind.wait().attempts, 1U);
}

}  // namespace
}  // namespace action_triggers::tests
