// SPDX-License-Identifier: MIT
// What a reload does to the connections of real servers: asked of the broker, or of the kernel.
#include <set>
#include <string>

#include "live/support.hpp"
#include "support/eventually.hpp"

namespace action_triggers::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Connections = std::set<std::string>;

class ReloadLiveTest : public ::testing::Test {
 protected:
  /// The broker "kept", with ten targets that add `param` to it; and "other", unless it is empty.
  static Config config_of(const std::string& kept, const std::string& param, const std::string& other) {
    std::string targets = other.empty() ? "" : R"("other")";
    for (int n = 0; n < 10; ++n) {
      targets += (targets.empty() ? "" : ", ") + (R"({"broker": "kept", "timeout_secs": )" + std::to_string(20 + n)) +
                 R"(, "params": {)" + param + "}}";
    }
    return parse_config(R"({"brokers": {)" + kept + (other.empty() ? "" : ", ") + other +
                        R"(}, "triggers": {"t": {"events": ["#"], "targets": [)" + targets + "]}}}");
  }
  static void expect_that_all_arrives(TriggerDispatcher& dispatcher, std::size_t targets) {
    const Emission emission = dispatcher.emit("any.event", "x");
    EXPECT_EQ(emission.size(), targets);
    for (const DeliveryReport& report : emission.wait()) EXPECT_THAT(report, testing::IsOk());
  }
  static void expect_no_change(const ReloadReport& report) {
    EXPECT_THAT(report.added, IsEmpty());
    EXPECT_THAT(report.changed, IsEmpty());
    EXPECT_THAT(report.removed, IsEmpty());
  }

  const std::string name_ = unique("reload");
};

TEST_F(ReloadLiveTest, ConnectionsToRabbitMqAreThoseOfTheConfiguration) {
  const auto connections = [&](const std::string& of) { return rabbitmq_connections(name_ + "-" + of); };
  const auto on_connection = [&](const std::string& name, const std::string& params) {
    return broker(name == "kept" ? name : "other", "rabbitmq",
                  rabbitmq_conn(R"(, "connection_name": ")" + name_ + "-" + name + "\""), params);
  };
  const std::string kept =
      on_connection("kept", R"("exchange": ")" + name_ + R"(", "declare": {"type": "topic", "queues": [
      {"queue": ")" + name_ + R"(-derived", "bind": ["#"]}]})");
  const auto config = [&](const std::string& other) {
    const std::string queue = R"("queue": ")" + name_ + R"(", "declare": true)";
    return config_of(kept, R"("routing_key": "k")", other.empty() ? "" : on_connection(other, queue));
  };
  TriggerDispatcher dispatcher(config("first"));
  expect_that_all_arrives(dispatcher, 11);
  const Connections before = connections("");
  const Connections of_kept = connections("kept");
  EXPECT_THAT(before, SizeIs(2));
  EXPECT_THAT(of_kept, SizeIs(1));

  expect_no_change(dispatcher.reload(config("first")));
  expect_that_all_arrives(dispatcher, 11);
  EXPECT_EQ(connections(""), before) << "the same ones";

  EXPECT_THAT(dispatcher.reload(config("second")).changed, ElementsAre("other"));
  expect_that_all_arrives(dispatcher, 11);
  EXPECT_THAT(connections("second"), SizeIs(1));
  EXPECT_TRUE(eventually([&] { return connections("first").empty(); }));
  EXPECT_EQ(connections("kept"), of_kept);

  EXPECT_THAT(dispatcher.reload(config("")).removed, ElementsAre("other"));
  expect_that_all_arrives(dispatcher, 10);
  EXPECT_TRUE(eventually([&] { return connections("") == of_kept; })) << "the removed one is gone";
  EXPECT_THAT(drain_queue(name_), SizeIs(3));
  EXPECT_THAT(drain_queue(name_ + "-derived"), SizeIs(40));
}

TEST_F(ReloadLiveTest, ConnectionsToKafkaAreThoseOfTheConfiguration) {
  create_topics({name_, name_ + "-derived"}, 1);
  const auto connections = [] { return sockets_to(Servers::kafka_bootstrap()); };
  const Connections of_others = connections();
  const auto new_ones = [&] {
    Connections ours = connections();
    for (const std::string& one : of_others) ours.erase(one);
    return ours;
  };
  const std::string kept = broker("kept", "kafka", kafka_conn(R"(, "client_id": "kept")"), "");
  const auto config = [&](const std::string& client) {
    return config_of(kept, R"("topic": ")" + name_ + "-derived\"",
                     client.empty() ? ""
                                    : broker("other", "kafka", kafka_conn(R"(, "client_id": ")" + client + "\""),
                                             R"("topic": ")" + name_ + "\""));
  };
  TriggerDispatcher dispatcher(config(""));
  expect_that_all_arrives(dispatcher, 10);
  const Connections of_kept = new_ones();
  EXPECT_THAT(of_kept, SizeIs(1)) << "of ten destinations";

  expect_no_change(dispatcher.reload(config("")));
  expect_that_all_arrives(dispatcher, 10);
  EXPECT_EQ(new_ones(), of_kept) << "the same one";

  EXPECT_THAT(dispatcher.reload(config("first")).added, ElementsAre("other"));
  expect_that_all_arrives(dispatcher, 11);
  const Connections with_first = new_ones();
  EXPECT_THAT(with_first, SizeIs(2));
  EXPECT_THAT(dispatcher.reload(config("second")).changed, ElementsAre("other"));
  expect_that_all_arrives(dispatcher, 11);
  EXPECT_TRUE(eventually([&] {
    const Connections now = new_ones();
    return now.size() == 2 && now != with_first && now.contains(*of_kept.begin());
  })) << "another one in its place";

  EXPECT_THAT(dispatcher.reload(config("")).removed, ElementsAre("other"));
  expect_that_all_arrives(dispatcher, 10);
  EXPECT_TRUE(eventually([&] { return new_ones() == of_kept; })) << "the removed one is gone";
  EXPECT_THAT(read_topic(name_), SizeIs(2));
  EXPECT_THAT(read_topic(name_ + "-derived"), SizeIs(50));
}

}  // namespace
}  // namespace action_triggers::tests
