// SPDX-License-Identifier: MIT
// Trace contexts on real servers: what OpenTelemetry's instrumentations of consumers read.
#include <nlohmann/json.hpp>
#include <sstream>

#include "live/support.hpp"

namespace action_triggers::tests {
namespace {

using testing::IsOk;

const std::string trace = "0af7651916cd43dd8448eb211c80319c";
const std::string span = "b7ad6b7169203331";

class TracingLiveTest : public ::testing::Test {
 protected:
  /// One message to the topic and one to the queue, fired in a trace.
  void fire_both() {
    create_topics({name_}, 1);
    DispatcherOptions options;
    options.trace_context = [] { return TraceContext{"00-" + trace + "-" + span + "-01", "vendor=1"}; };
    TriggerDispatcher dispatcher(
        config_with(broker("topic", "kafka", kafka_conn(), R"("topic": ")" + name_ + "\"") + ", " +
                    broker("queue", "rabbitmq", rabbitmq_conn(), R"("queue": ")" + name_ + R"(", "declare": true)")),
        std::move(options));
    for (const char* destination : {"topic", "queue"}) {
      EXPECT_THAT(dispatcher.fire(destination, Message{.body = "x", .headers = {{"a", "b"}}}).wait(), IsOk());
    }
  }
  /// The spans that a consumer's instrumentation makes of one message.
  void expect_trace_at(const std::string& library, const std::string& server) {
    const std::string said = run(ACTION_TRIGGERS_SOURCE_DIR "/tests/live/python_client.sh traced_consumer.py " +
                                 library + " " + server + " " + name_ + " 1 2>/dev/null");
    std::istringstream lines(said);
    int spans = 0;
    for (std::string line; std::getline(lines, line); ++spans) {
      const auto seen = nlohmann::json::parse(line);
      EXPECT_EQ(seen.at("kind"), "CONSUMER");
      EXPECT_EQ(seen.at("trace"), trace) << library;
      EXPECT_EQ(seen.at("parent"), span) << library;
      EXPECT_EQ(seen.at("state"), "vendor=1") << library;
    }
    EXPECT_EQ(spans, 1) << library << " said: " << said;
  }

  const std::string name_ = unique("tracing");
};

TEST_F(TracingLiveTest, InstrumentedConsumersGoOnWithTheHooksTrace) {
  fire_both();
  expect_trace_at("confluent-kafka", Servers::kafka_bootstrap());
  expect_trace_at("kafka-python", Servers::kafka_bootstrap());
  expect_trace_at("pika", Servers::rabbitmq_host() + ":" + std::to_string(Servers::rabbitmq_port()));
}

}  // namespace
}  // namespace action_triggers::tests
