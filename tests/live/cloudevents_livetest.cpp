// SPDX-License-Identifier: MIT
// CloudEvents on real servers: what CloudEvents' own SDKs for Python and Java make of them.
#include <nlohmann/json.hpp>
#include <sstream>

#include "live/support.hpp"

namespace action_triggers::tests {
namespace {

using nlohmann::json;

class CloudEventsLiveTest : public ::testing::TestWithParam<const char*> {
 protected:
  /// Two events of the topic or queue: JSON that was emitted, and bytes that were fired.
  void send(const std::string& type, const std::string& connection, const std::string& params) {
    TriggerDispatcher dispatcher(parse_config(
        R"({"brokers": {)" +
        broker("orders", type, connection,
               params + R"(, "envelope": "cloudevents_)" + GetParam() + R"(", "content_type": "application/json",
                 "cloudevents": {"source": "/shop/orders", "dataschema": "https://example.org/order.json",
                                 "extensions": {"tenant": "ä"}})") +
        R"(}, "triggers": {"paid": {"events": ["order.*"], "targets": [
             {"broker": "orders", "key": "{{ /id }}", "headers": {"ce)" +
        (type == "kafka" ? "_" : "-") + R"(subject": "order-{{ /id }}"}}]}}})"));
    ASSERT_TRUE(
        dispatcher.emit("order.paid", Message{.body = R"({"id": 42, "total": 10.10})", .id = "first"}).all_ok());
    const Message bytes{.body = std::string("\0\xFF", 2), .content_type = "application/octet-stream", .id = "second"};
    ASSERT_THAT(dispatcher.fire("orders", bytes).wait(), testing::IsOk());
  }
  /// `sdk`: a program that reads them with one, and its language's runner.
  void expect_both(const std::string& sdk, const std::string& kind, const std::string& server) {
    const std::string said = run("cd " ACTION_TRIGGERS_SOURCE_DIR "/tests/live && ./" + sdk + " " + kind + " " +
                                 server + " " + name_ + " 2");
    std::istringstream lines(said);
    const auto next = [&] {  // not what an installation says, the first time
      std::string line;
      while (std::getline(lines, line) && !line.starts_with('{')) {
      }
      return json::parse(line, nullptr, /*allow_exceptions=*/false);
    };
    const json paid = next();
    ASSERT_TRUE(paid.is_object()) << said;
    EXPECT_EQ(paid.at("specversion"), "1.0") << sdk;
    EXPECT_EQ(paid.at("id"), "first");
    EXPECT_EQ(paid.at("source"), "/shop/orders");
    EXPECT_EQ(paid.at("type"), "order.paid");
    EXPECT_EQ(paid.at("subject"), "order-42");
    EXPECT_EQ(paid.at("dataschema"), "https://example.org/order.json");
    EXPECT_EQ(paid.at("datacontenttype"), "application/json");
    EXPECT_EQ(paid.at("tenant"), "ä");
    EXPECT_THAT(paid.at("time").get<std::string>(), ::testing::StartsWith("20"));
    EXPECT_EQ(paid.at("data"), json({{"id", 42}, {"total", 10.10}}));
    const json bytes = next();
    ASSERT_TRUE(bytes.is_object()) << said;
    EXPECT_EQ(bytes.at("id"), "second");
    EXPECT_EQ(bytes.at("type"), "orders") << "no event's: the destination's name";
    EXPECT_EQ(bytes.at("datacontenttype"), "application/octet-stream");
    EXPECT_EQ(bytes.at("data"), json({{"bytes", "00ff"}}));
  }

  const std::string python = "python_client.sh cloudevents_consumer.py";
  const std::string name_ = unique("cloudevents");
};

TEST_P(CloudEventsLiveTest, TheSdksReadThemFromKafka) {
  create_topics({name_}, 1);
  send("kafka", kafka_conn(), R"("topic": ")" + name_ + "\"");
  expect_both(python, "kafka", Servers::kafka_bootstrap());
  expect_both("java_client.sh CloudEventsConsumer.java", "kafka", Servers::kafka_bootstrap());
}

TEST_P(CloudEventsLiveTest, TheSdkReadsThemFromRabbitMq) {
  send("rabbitmq", rabbitmq_conn(), R"("queue": ")" + name_ + R"(", "declare": true)");
  expect_both(python, "rabbitmq", Servers::rabbitmq_host() + ":" + std::to_string(Servers::rabbitmq_port()));
}

INSTANTIATE_TEST_SUITE_P(Both, CloudEventsLiveTest, ::testing::Values("binary", "structured"),
                         [](const auto& mode) { return std::string(mode.param); });

}  // namespace
}  // namespace action_triggers::tests
