// SPDX-License-Identifier: MIT
// RabbitMQ, the real one, in trouble: what is said of each message is true, and one name's trouble is not another's.
#include <mutex>

#include "live/rabbitmq_support.hpp"
#include "support/rabbitmq_setting.hpp"

namespace action_triggers::tests {
namespace {

using testing::HasCode;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::Not;
using ::testing::SizeIs;

class RabbitMqTroubleTest : public RabbitMqLiveTest {
 protected:
  /// The process of a queue as Erlang has it. `text` uses it as P.
  static void with_process(const std::string& queue, const std::string& text) {
    Servers::rabbitmqctl("-q eval '{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"" + queue +
                         "\">>)), P = case amqqueue:get_pid(Q) of {Name, _} -> whereis(Name); Pid -> Pid end, " + text +
                         ".'");
  }
  /// While it lives, the queue takes and confirms nothing.
  class Suspended {
   public:
    explicit Suspended(const std::string& queue) : name_("list_to_atom(\"suspends_" + queue + "\")") {
      with_process(queue, "S = self(), H = spawn(fun() -> register(" + name_ +
                              ", self()), erlang:suspend_process(P), S ! done, receive stop -> ok end end), "
                              "receive done -> H after 5000 -> exit(\"not suspended\") end");
    }
    ~Suspended() { Servers::rabbitmqctl("-q eval '" + name_ + " ! stop.'"); }
    Suspended(const Suspended&) = delete;
    Suspended& operator=(const Suspended&) = delete;

   private:
    const std::string name_;
  };
};

TEST_F(RabbitMqTroubleTest, EqualIdsKeepTheirOutcomes) {
  TriggerDispatcher dispatcher(
      config_with(rabbitmq("good", declared(good_)) + "," + rabbitmq("gone", queue_named(bad_))));
  ASSERT_THAT(dispatcher.fire("good", "first").wait(), IsOk());
  std::vector<std::pair<Delivery, Delivery>> pairs;
  for (int i = 0; i < 300; ++i) {
    const Message message{.body = std::to_string(i), .id = "order-42"};
    if (i % 2 == 0) {
      Delivery good = dispatcher.fire("good", message);
      pairs.emplace_back(std::move(good), dispatcher.fire("gone", message));
    } else {
      Delivery gone = dispatcher.fire("gone", message);
      pairs.emplace_back(dispatcher.fire("good", message), std::move(gone));
    }
  }
  for (const auto& [good, gone] : pairs) {
    EXPECT_THAT(good.wait(), IsOk());
    EXPECT_THAT(gone.wait(), HasCode(StatusCode::unroutable));
    EXPECT_THAT(gone.wait().status.message(), HasSubstr(bad_));
  }
  EXPECT_THAT(drain_queue(good_), SizeIs(301));
}

TEST_F(RabbitMqTroubleTest, EqualIdsOfOneNameKeepTheirOutcomes) {
  const std::string exchange = unique("exchange");
  with_pika("ch.exchange_declare(\"" + exchange + "\", \"direct\"); ch.queue_declare(\"" + good_ +
            "\"); ch.queue_bind(\"" + good_ + "\", \"" + exchange + "\", \"bound\")");
  TriggerDispatcher dispatcher(config_with(
      rabbitmq("b", R"("exchange": ")" + exchange + R"(", "routing_key": "x", "key_as_routing_key": true)")));
  std::vector<Delivery> deliveries;
  for (int i = 0; i < 300; ++i) {
    deliveries.push_back(
        dispatcher.fire("b", Message{.body = "same", .key = i % 3 == 0 ? "bound" : "missing", .id = "order-42"}));
  }
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    EXPECT_THAT(deliveries[i].wait(), HasCode(i % 3 == 0 ? StatusCode::ok : StatusCode::unroutable)) << i;
  }
  EXPECT_THAT(drain_queue(good_), SizeIs(100));
}

TEST_F(RabbitMqTroubleTest, MessagesThatDifferInATypedHeaderKeepTheirOutcomes) {
  const std::string exchange = unique("exchange");
  with_pika("ch.exchange_declare(\"" + exchange + "\", \"headers\"); ch.queue_declare(\"" + good_ +
            "\"); ch.queue_bind(\"" + good_ + "\", \"" + exchange + "\", \"\", {\"urgent\": True})");
  TriggerDispatcher dispatcher(config_with(rabbitmq("b", R"("exchange": ")" + exchange + R"(", "routing_key": "k")")));
  Message message;
  message.body = "same";
  message.id = "order-42";
  std::vector<Delivery> deliveries;
  for (int i = 0; i < 300; ++i) {
    message.headers = {Header::boolean("urgent", i % 3 == 0)};
    deliveries.push_back(dispatcher.fire("b", message));
  }
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    EXPECT_THAT(deliveries[i].wait(), HasCode(i % 3 == 0 ? StatusCode::ok : StatusCode::unroutable)) << i;
  }
  EXPECT_THAT(drain_queue(good_), SizeIs(100));
}

TEST_F(RabbitMqTroubleTest, NothingThatIsInTheQueueIsSaidToBeNowhere) {
  std::map<std::string, Persistence> not_ok;
  std::mutex mutex;
  const auto nacked = [&] {
    const std::lock_guard lock(mutex);
    return !not_ok.empty();
  };
  {
    TriggerDispatcher dispatcher(config_with(rabbitmq(
        "b",
        declared(good_) +
            R"(, "retry": {"max_attempts": 1}, "max_queued_messages": 2000, "overflow": "block", "max_block_ms": 60000)")));
    ASSERT_THAT(dispatcher.fire("b", "first").wait(), IsOk());
    std::atomic<bool> stop{false};
    std::thread load([&] {
      for (int i = 0; !stop; ++i) {
        dispatcher.fire("b", std::to_string(i), [&](const DeliveryReport& report) {
          if (report.status.ok()) return;
          if (report.status.code() == StatusCode::rejected) {
            EXPECT_EQ(report.persistence, Persistence::possibly_persisted);
          }
          const std::lock_guard lock(mutex);
          not_ok[std::string(report.message_id)] = report.persistence;
        });
      }
    });
    // RabbitMQ gives the process up after a few deaths within some seconds.
    for (int kill = 0; kill < 3 && !nacked(); ++kill) with_process(good_, "exit(P, kill)");
    stop = true;
    load.join();
    ASSERT_TRUE(dispatcher.flush(60s));
  }
  ASSERT_TRUE(nacked()) << "the queue's process died, and nothing was nacked";
  std::size_t there = 0;
  for (const Received& received : drain_queue(good_)) {
    const auto found = not_ok.find(received.id);
    if (found == not_ok.end()) continue;
    ++there;
    EXPECT_EQ(found->second, Persistence::possibly_persisted) << received.id;
  }
  RecordProperty("failed", static_cast<int>(not_ok.size()));
  RecordProperty("failed_and_there", static_cast<int>(there));
}

TEST_F(RabbitMqTroubleTest, AQueueThatDoesNotConfirmAndOneThatRefusesHoldUpNobody) {
  const std::string full = unique("full");
  TriggerDispatcher dispatcher(
      config_with(rabbitmq("stuck", declared(bad_)) + "," +
                  rabbitmq("full", declared(full, R"("x-max-length": 1, "x-overflow": "reject-publish")")) + "," +
                  rabbitmq("good", declared(good_))));
  for (const char* name : {"stuck", "full", "good"}) ASSERT_THAT(dispatcher.fire(name, "first").wait(), IsOk());
  const Suspended suspended(bad_);
  const std::vector<Delivery> stuck = fire_many(dispatcher, "stuck", 1'000);
  const std::vector<Delivery> refused = fire_many(dispatcher, "full", 100);
  for (int round = 0; round < 5; ++round) expect_all_ok(fire_many(dispatcher, "good", 1'000), 4s);
  EXPECT_FALSE(stuck[0].done());
}

TEST_F(RabbitMqTroubleTest, AQuorumQueueThatTakesNothingDoesNotStopTheConnection) {
  TriggerDispatcher dispatcher(config_with(rabbitmq("stuck", queue_named(bad_, R"(, "declare": {"type": "quorum"})")) +
                                           "," + rabbitmq("good", declared(good_))));
  for (const char* name : {"stuck", "good"}) ASSERT_THAT(dispatcher.fire(name, "first").wait(), IsOk());
  const Suspended suspended(bad_);
  const std::vector<Delivery> stuck = fire_many(dispatcher, "stuck", 1'000);
  expect_all_ok(fire_many(dispatcher, "good", 1'000), 4s);
  EXPECT_EQ(dispatcher.stats().brokers.at("good").state, ConnectionState::connected);
  EXPECT_FALSE(stuck[0].done());
}

TEST_F(RabbitMqTroubleTest, NorDoesOneThatHadAWideWindow) {
  // With more than the broker's credit on its way the connection is lost for the others; they go on over a new one.
  TriggerDispatcher dispatcher(
      config_with(rabbitmq("stuck", queue_named(bad_, R"(, "declare": {"type": "quorum"}, "max_in_flight": 5000)")) +
                  "," + rabbitmq("good", declared(good_))));
  expect_all_ok(fire_many(dispatcher, "stuck", 20'000), 30s);
  ASSERT_THAT(dispatcher.fire("good", "first").wait(), IsOk());
  const Suspended suspended(bad_);
  const std::vector<Delivery> stuck = fire_many(dispatcher, "stuck", 10'000);
  expect_all_ok(fire_many(dispatcher, "good", 1'000), 15s);
}

TEST_F(RabbitMqTroubleTest, NorDoesOneThatNeverTookAnything) {
  // RabbitMQ's channel waits for such a queue at the first message, and meanwhile does nothing for others.
  with_pika("ch.queue_declare(\"" + bad_ + "\", durable=True, arguments={\"x-queue-type\": \"quorum\"})");
  TriggerDispatcher dispatcher(
      config_with(rabbitmq("stuck", queue_named(bad_)) + "," + rabbitmq("good", declared(good_))));
  ASSERT_THAT(dispatcher.fire("good", "first").wait(), IsOk());
  const Suspended suspended(bad_);
  std::vector<Delivery> stuck;
  std::vector<Delivery> good;
  for (int i = 0; i < 100; ++i) {
    stuck.push_back(dispatcher.fire("stuck", std::to_string(i)));
    good.push_back(dispatcher.fire("good", std::to_string(i)));
  }
  expect_all_ok(good, 20s);
  expect_all_ok(fire_many(dispatcher, "good", 1'000), 4s);
  EXPECT_FALSE(stuck[0].done());
}

TEST_F(RabbitMqTroubleTest, ADeclaredQueueThatWasDeletedIsDeclaredAgain) {
  TriggerDispatcher dispatcher(config_with(rabbitmq("b", declared(good_))));
  ASSERT_THAT(dispatcher.fire("b", "first").wait(), IsOk());
  with_pika("ch.queue_delete(\"" + good_ + "\")");
  const std::vector<Delivery> deliveries = fire_many(dispatcher, "b", 100);
  expect_all_ok(deliveries, 5s);
  const auto received = drain_queue(good_);
  ASSERT_THAT(received, SizeIs(100));
  for (std::size_t i = 0; i < received.size(); ++i) EXPECT_EQ(received[i].body, std::to_string(i));
}

TEST_F(RabbitMqTroubleTest, AMessageThatClosesTheChannelIsFoundAndTheOthersGoTogetherAgain) {
  const MaxMessageSize size(100'000);
  TriggerDispatcher dispatcher(config_with(rabbitmq("bad", declared(bad_)) + "," + rabbitmq("good", declared(good_))));
  for (const char* name : {"bad", "good"}) ASSERT_THAT(dispatcher.fire(name, "first").wait(), IsOk());
  for (int round = 0; round < 2; ++round) {
    std::vector<Delivery> before = fire_many(dispatcher, "bad", 300);
    const Delivery large = dispatcher.fire("bad", std::string(200'000, 'x'));
    const std::vector<Delivery> after = fire_many(dispatcher, "bad", 300);
    expect_all_ok(fire_many(dispatcher, "good", 1'000), 5s);
    expect_all_ok(before, 10s);
    expect_all_ok(after, 10s);
    EXPECT_THAT(large.wait(), HasCode(StatusCode::too_large));
  }
}

TEST_F(RabbitMqTroubleTest, AForbiddenRoutingKeyDoesNotRefuseTheAllowedOnes) {
  const std::string user = unique("user");
  Servers::rabbitmqctl("-q add_user " + user + " pw");
  Servers::rabbitmqctl("-q set_permissions " + user + " '.*' '.*' '.*'");
  Servers::rabbitmqctl("-q set_topic_permissions " + user + " amq.topic '^allowed' '.*'");
  with_pika("ch.queue_declare(\"" + good_ + "\"); ch.queue_bind(\"" + good_ + "\", \"amq.topic\", \"#\")");
  {
    TriggerDispatcher dispatcher(
        config_with(broker("b", "rabbitmq", rabbitmq_conn(R"(, "username": ")" + user + R"(", "password": "pw")"),
                           R"("exchange": "amq.topic", "routing_key": "allowed", "key_as_routing_key": true)")));
    for (int round = 0; round < 3; ++round) {
      const DeliveryReport refused = dispatcher.fire("b", Message{.body = "x", .key = "forbidden"}).wait();
      EXPECT_THAT(refused, HasCode(StatusCode::permission_denied));
      EXPECT_THAT(refused.status.message(), HasSubstr("set_topic_permissions"));
      EXPECT_THAT(dispatcher.fire("b", Message{.body = "x", .key = "allowed.1"}).wait(), IsOk());
    }
  }
  Servers::rabbitmqctl("-q delete_user " + user);
}

TEST_F(RabbitMqTroubleTest, AnInternalExchangeDoesNotAdviseToGrantARight) {
  const std::string exchange = unique("internal");
  with_pika("ch.exchange_declare(\"" + exchange + "\", \"direct\", internal=True)");
  TriggerDispatcher dispatcher(config_with(rabbitmq("b", R"("exchange": ")" + exchange + R"(", "routing_key": "k")")));
  const DeliveryReport report = dispatcher.fire("b", "x").wait();
  EXPECT_THAT(report, HasCode(StatusCode::permission_denied));
  EXPECT_THAT(report.status.message(), HasSubstr("internal exchange"));
  EXPECT_THAT(report.status.message(), Not(HasSubstr("rabbitmqctl")));
}

TEST_F(RabbitMqTroubleTest, TooManyConnectionsIsNotForEver) {
  const std::string vhost = unique("vhost");
  Servers::rabbitmqctl("-q add_vhost " + vhost);
  Servers::rabbitmqctl("-q set_permissions -p " + vhost + " guest '.*' '.*' '.*'");
  Servers::rabbitmqctl("-q set_vhost_limits -p " + vhost + " '{\"max-connections\": 0}'");
  {
    TriggerDispatcher dispatcher(
        config_with(broker("b", "rabbitmq", rabbitmq_conn(R"(, "virtual_host": ")" + vhost + "\""), declared(good_))));
    const Delivery waits = dispatcher.fire("b", "x");
    EXPECT_EQ(waits.wait_for(1s), nullptr);
    EXPECT_THAT(dispatcher.stats().brokers.at("b").last_error, Not(HasSubstr("grant")));
    Servers::rabbitmqctl("-q clear_vhost_limits -p " + vhost);
    EXPECT_THAT(waits.wait(), IsOk());
  }
  Servers::rabbitmqctl("-q delete_vhost " + vhost);
}

TEST_F(RabbitMqTroubleTest, HundredsOfDeclarationsTakeNoTime) {
  std::string brokers;
  for (int i = 0; i < 300; ++i) {
    brokers += (i > 0 ? "," : "") + rabbitmq("b" + std::to_string(i), declared(good_ + "." + std::to_string(i)));
  }
  for (int i = 0; i < 300; ++i) {
    brokers += "," + rabbitmq("m" + std::to_string(i),
                              R"("exchange": ")" + bad_ + std::to_string(i) + R"(", "routing_key": "k")");
  }
  TriggerDispatcher dispatcher(config_with(brokers));
  std::vector<Delivery> deliveries;
  for (int i = 0; i < 300; ++i) dispatcher.fire("m" + std::to_string(i), "x");
  for (int i = 0; i < 300; ++i) deliveries.push_back(dispatcher.fire("b" + std::to_string(i), "x"));
  expect_all_ok(deliveries, 10s);
}

}  // namespace
}  // namespace action_triggers::tests
