// SPDX-License-Identifier: MIT
// Events on real servers: what arrives at Kafka and RabbitMQ, and how many
// connections it takes.
#include <nlohmann/json.hpp>

#include "live/support.hpp"

namespace action_triggers::tests {
namespace {

using testing::IsOk;
using ::testing::SizeIs;

class TriggersLiveTest : public ::testing::Test {
 protected:
  static Config config_of(const std::string& brokers, const std::string& triggers) {
    return parse_config(R"({"brokers": {)" + brokers + R"(}, "triggers": {)" + triggers + "}}");
  }
  /// An exchange of type topic with one queue for each of these routing keys,
  /// named as they are; no routing key of its own: its targets say one.
  std::string exchange_with_queues(const std::vector<std::string>& keys) const {
    std::string queues;
    for (const std::string& key : keys) {
      queues += (queues.empty() ? "" : ", ") + (R"({"queue": ")" + queue_of(key)) + R"(", "bind": [")" + key + "\"]}";
    }
    return R"("exchange": ")" + name_ + R"(", "declare": {"type": "topic", "queues": [)" + queues + "]}";
  }
  [[nodiscard]] std::string queue_of(const std::string& key) const { return name_ + "-" + key; }

  const std::string name_ = unique("triggers");
};

TEST_F(TriggersLiveTest, OneEventReachesATopicAndAnExchange) {
  create_topics({name_}, 1);
  TriggerDispatcher dispatcher(
      config_of(broker("events", "kafka", kafka_conn(), R"("topic": ")" + name_ + "\"") + ", " +
                    broker("mails", "rabbitmq", rabbitmq_conn(), exchange_with_queues({"mail.large", "mail.small"})),
                R"("paid": {"events": ["order.*.paid"], "when": {"status": ["paid"]}, "targets": [
           {"broker": "events", "key": "order-{{ /id }}"},
           {"broker": "mails", "when": {"total": [{"numeric": [">=", 100]}]}, "params": {"routing_key": "mail.large"},
            "body": {"order": "{{ /id }}", "total": "{{ /total }}"}, "content_type": "application/json",
            "headers": {"event": "{{ event.name }}", "version": 2}},
           {"broker": "mails", "when": {"total": [{"numeric": ["<", 100]}]}, "params": {"routing_key": "mail.small"},
            "timeout_secs": 20}]})"));
  const std::string large = R"({"id": 42, "total": 100.10, "status": "paid"})";
  const Emission emission = dispatcher.emit("order.42.paid", large);
  ASSERT_EQ(emission.size(), 2U);
  for (const DeliveryReport& report : emission.wait()) {
    EXPECT_THAT(report, IsOk());
    EXPECT_EQ(report.trigger, "paid");
  }
  const std::string small = R"({"id": 43, "total": 99.99, "status": "paid"})";
  EXPECT_TRUE(dispatcher.emit("order.43.paid", Message{.body = small, .id = "id-43"}).all_ok());
  EXPECT_TRUE(dispatcher.emit("order.44.paid", R"({"id": 44, "total": 1, "status": "new"})").empty());

  const auto in_topic = read_topic(name_);
  ASSERT_THAT(in_topic, SizeIs(2));
  EXPECT_EQ(in_topic[0].body, large);
  EXPECT_EQ(in_topic[0].key, "order-42");
  EXPECT_EQ(in_topic[1].body, small);
  EXPECT_EQ(in_topic[1].id, "id-43");
  const auto large_mails = drain_queue(queue_of("mail.large"));
  ASSERT_THAT(large_mails, SizeIs(1));
  EXPECT_EQ(large_mails[0].body, R"({"order":42,"total":100.10})");
  EXPECT_EQ(large_mails[0].id, in_topic[0].id) << "one event, one id";
  const auto properties = nlohmann::json::parse(large_mails[0].properties);
  EXPECT_EQ(properties.at("content_type"), "application/json");
  EXPECT_EQ(properties.at("headers").at("event"), "order.42.paid");
  EXPECT_EQ(properties.at("headers").at("version"), 2);
  const auto small_mails = drain_queue(queue_of("mail.small"));
  ASSERT_THAT(small_mails, SizeIs(1));
  EXPECT_EQ(small_mails[0].body, small);
  const TriggerStats stats = dispatcher.stats().triggers.at("paid");
  EXPECT_EQ(stats.matched, 2U);
  EXPECT_EQ(stats.filtered, 1U);
  EXPECT_EQ(stats.sent, 4U);
  EXPECT_EQ(stats.failed, 0U);
}

TEST_F(TriggersLiveTest, EmitsAndFiresOfTwoThreadsArriveInTheirOrder) {
  create_topics({name_}, 1);
  TriggerDispatcher dispatcher(config_of(
      broker("topic", "kafka", kafka_conn(), R"("topic": ")" + name_ + R"(", )" + roomy) + ", " +
          broker("queue", "rabbitmq", rabbitmq_conn(), R"("queue": ")" + name_ + R"(", "declare": true, )" + roomy),
      R"("t": {"events": ["turn"], "targets": ["topic", {"broker": "queue", "body": "{{ /turn }}"}]})"));
  constexpr int count = 2'000;
  in_strict_turns(count, [&](int thread, int turn) {
    const std::string body = std::to_string(turn);
    if (thread == 0) {
      dispatcher.emit("turn", R"({"turn": )" + body + "}");
    } else {
      dispatcher.fire("topic", body);
      dispatcher.fire("queue", body);
    }
  });
  ASSERT_TRUE(dispatcher.flush(300s));
  expect_strict_order(drain_queue(name_), count);
  const auto in_topic = read_topic(name_);
  ASSERT_THAT(in_topic, SizeIs(count));
  for (int i = 0; i < count; ++i) {
    const std::string turn = std::to_string(i);
    ASSERT_EQ(in_topic[static_cast<std::size_t>(i)].body, i % 2 == 0 ? R"({"turn": )" + turn + "}" : turn);
  }
}

constexpr int variations = 10;

TEST_F(TriggersLiveTest, DerivedDestinationsCostNoConnectionToRabbitMq) {
  const std::string conn = rabbitmq_conn(R"(, "connection_name": ")" + name_ + "\"");
  std::vector<std::string> keys;
  std::string targets = R"("plain")";
  for (int n = 0; n < variations; ++n) {
    keys.push_back("k" + std::to_string(n));
    targets += R"(, {"broker": "exchange", "params": {"routing_key": ")" + keys.back() + R"("}, "timeout_secs": )" +
               std::to_string(20 + n) + "}";
  }
  const std::string plain = broker("plain", "rabbitmq", conn, R"("queue": ")" + name_ + R"(", "declare": true)");
  const std::string exchange = broker("exchange", "rabbitmq", conn, exchange_with_queues(keys));
  TriggerDispatcher dispatcher(
      config_of(plain + ", " + exchange, R"("t": {"events": ["#"], "targets": [)" + targets + "]}"));
  const Emission emission = dispatcher.emit("any.event", "x");
  ASSERT_EQ(emission.size(), variations + 1U);
  for (const DeliveryReport& report : emission.wait()) EXPECT_THAT(report, IsOk());
  EXPECT_EQ(dispatcher.stats().lanes, 1U);
  EXPECT_EQ(rabbitmq_connections_of(name_), 1) << "asked of the broker";
  for (const std::string& key : {keys.front(), keys.back()}) EXPECT_THAT(drain_queue(queue_of(key)), SizeIs(1)) << key;
}

TEST_F(TriggersLiveTest, DerivedDestinationsCostNoConnectionToKafka) {
  std::vector<std::string> topics;
  std::string targets;
  for (int n = 0; n < variations; ++n) {
    topics.push_back(name_ + "-" + std::to_string(n));
    targets += (n == 0 ? "" : ", ") + (R"({"broker": "events", "params": {"topic": ")" + topics.back()) + "\"}}";
  }
  create_topics(topics, 1);
  const int before = connections_to(Servers::kafka_bootstrap());
  TriggerDispatcher dispatcher(config_of(broker("events", "kafka", kafka_conn(), ""),
                                         R"("t": {"events": ["#"], "targets": [)" + targets + "]}"));
  const Emission emission = dispatcher.emit("any.event", "x");
  ASSERT_EQ(emission.size(), static_cast<std::size_t>(variations));
  for (const DeliveryReport& report : emission.wait()) EXPECT_THAT(report, IsOk());
  EXPECT_EQ(dispatcher.stats().lanes, 1U);
  EXPECT_EQ(connections_to(Servers::kafka_bootstrap()) - before, 1) << "asked of the kernel";
  for (const std::string& topic : {topics.front(), topics.back()}) EXPECT_THAT(read_topic(topic), SizeIs(1)) << topic;
}

}  // namespace
}  // namespace action_triggers::tests
