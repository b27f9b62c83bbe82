// SPDX-License-Identifier: MIT
// A real Apache Kafka with faults, under load, held against the ledger.
#include <array>

#include "faults/faults.hpp"
#include "faults/support.hpp"

#include "action_triggers/broker_registry.hpp"

namespace action_triggers::tests {
namespace {

class KafkaFaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(KafkaFaultTest, LosesNothing) {
  const Fault& fault = GetParam();
  const std::string topic = unique("fault");
  const std::string other_topic = unique("fault");
  create_topics({topic, other_topic}, 3);
  FaultProxy proxy = kafka_proxy();
  const std::string conn =
      R"("conn_details": {"bootstrap_servers": "127.0.0.1:)" + std::to_string(proxy.port()) + "\"}";
  Ledger ledger;
  Ledger hasty_ledger;
  Ledger::Clock::time_point healed;
  ClientLog log;
  {
    TriggerDispatcher dispatcher(
        config_with(broker("b", "kafka", conn, R"("topic": ")" + topic + "\", " + plenty) + ", " +
                    broker("hasty", "kafka", conn, R"("topic": ")" + other_topic + "\", " + hasty)),
        BrokerRegistry::builtin(), log.options());
    ASSERT_NO_FATAL_FAILURE(under_load(
        dispatcher, ledger, [&] { fault.strike(proxy); }, healed, 1ms, &hasty_ledger));
    EXPECT_TRUE(dispatcher.close(5s).complete());
  }
  Rules rules{.most_duplicates = kafka_window, .order_per_key = true};
  const std::size_t duplicates = ledger.check("Kafka", fault.name, read_topic(topic), rules, healed);
  rules.explained = given_up;
  hasty_ledger.check("Kafka", fault.name + ", given up early", read_topic(other_topic), rules, healed);
  if (duplicates > 0 || HasFailure()) std::cout << "the client said:\n" << log.text();
}

INSTANTIATE_TEST_SUITE_P(, KafkaFaultTest, ::testing::ValuesIn(kafka_faults()),
                         [](const auto& instance) { return name_of(instance.param.name); });

// ------------------------------------------------------------------------------------- faults with outcomes of their
// own

/// Two destinations under load, each with a topic of its own: "b" has patience, "hasty" has none.
class KafkaOutcomeTest : public ::testing::Test {
 protected:
  static constexpr int partitions = 3;

  void create(int count, const std::string& config = {}) const {
    for (const std::string& topic : topics_) {
      kafka_topics("--create --partitions " + std::to_string(count) + " --topic " + topic + config);
    }
  }
  static void kafka_topics(const std::string& arguments) { run("bash -c \"$AT_KAFKA_TOPICS " + arguments + "\""); }

  [[nodiscard]] Config config(const std::string& conn, const std::string& retry = {}) const {
    return config_with(broker("b", "kafka", conn, R"("topic": ")" + topics_[0] + "\", " + plenty + retry) + ", " +
                       broker("hasty", "kafka", conn, R"("topic": ")" + topics_[1] + "\", " + hasty));
  }
  /// What the topics have is kept, for when they are deleted.
  void read() {
    for (std::size_t i = 0; i < topics_.size(); ++i) {
      const std::vector<Received> more = read_topic(topics_[i]);
      received_[i].insert(received_[i].end(), more.begin(), more.end());
    }
  }
  void check(const std::string& fault, Rules rules, bool topic_was_missing = false) {
    read();
    rules.most_duplicates = kafka_window;
    rules.order_per_key = true;
    ledger_.check("Kafka", fault, received_[0], rules, healed_);
    rules.explained.insert(rules.explained.end(), given_up.begin(), given_up.end());
    if (topic_was_missing) {  // what is refused then waits apart, and may be overtaken: docs/delivery.md
      rules.explained.push_back(StatusCode::not_found);
      rules.check_order = false;
    }
    hasty_ledger_.check("Kafka", fault + ", given up early", received_[1], rules, healed_);
  }

  void survive_a_new_topic(const std::string& fault, int new_partitions);
  void survive_guilty_messages(const std::string& fault, StatusCode code, Ledger::Shape (*shape_of)(std::size_t));

  const std::array<std::string, 2> topics_{unique("fault"), unique("fault")};
  std::array<std::vector<Received>, 2> received_;
  Ledger ledger_;
  Ledger hasty_ledger_;
  Ledger::Clock::time_point healed_;
};

/// The topics are deleted and created again, while the client remembers the partitions that they had.
void KafkaOutcomeTest::survive_a_new_topic(const std::string& fault, int new_partitions) {
  create_topics({topics_[0], topics_[1]}, partitions);
  {
    TriggerDispatcher dispatcher(config(kafka_conn()));
    {
      const Load load(dispatcher, ledger_, "b");
      const Load other(dispatcher, hasty_ledger_, "hasty");
      ASSERT_TRUE(
          eventually([&] { return ledger_.count(StatusCode::ok) > 200 && hasty_ledger_.count(StatusCode::ok) > 200; }));
    }
    ASSERT_TRUE(dispatcher.flush(30s));
    read();  // what is in them is deleted with them
    for (const std::string& topic : topics_) kafka_topics("--delete --topic " + topic);
    Load load(dispatcher, ledger_, "b");
    Load other(dispatcher, hasty_ledger_, "hasty");
    ASSERT_TRUE(eventually([&] { return dispatcher.stats().brokers["b"].retried > 200; }))
        << dispatcher.stats().brokers["b"].last_error;
    ASSERT_TRUE(eventually([&] {
      try {
        create_topics({topics_[0], topics_[1]}, new_partitions);  // the old ones may not be gone yet
        return true;
      } catch (const std::runtime_error&) {
        return false;
      }
    }));
    healed_ = Ledger::Clock::now();
    ASSERT_TRUE(eventually([&] { return ledger_.ok_fired_after(healed_) > 200; }))
        << dispatcher.stats().brokers["b"].last_error;
    load.stop();
    other.stop();
    ASSERT_TRUE(dispatcher.flush(300s));
  }
  check(fault, {.check_order = new_partitions == partitions}, /*topic_was_missing=*/true);
}

TEST_F(KafkaOutcomeTest, ATopicDeletedMidRunHoldsItsMessagesUntilItIsBack) {
  survive_a_new_topic("topic deleted and created again", partitions);
}

TEST_F(KafkaOutcomeTest, ATopicThatComesBackWithFewerPartitions) {
  survive_a_new_topic("topic deleted and created again with fewer partitions", 1);
}

TEST_F(KafkaOutcomeTest, ATopicThatIsCreatedUnderLoad) {
  {
    TriggerDispatcher dispatcher(config(kafka_conn()));
    Load load(dispatcher, ledger_, "b");
    Load other(dispatcher, hasty_ledger_, "hasty");
    ASSERT_TRUE(eventually([&] { return dispatcher.stats().brokers["b"].retried > 0; }));
    create(partitions);
    healed_ = Ledger::Clock::now();
    ASSERT_TRUE(eventually(
        [&] { return ledger_.ok_fired_after(healed_) > 200 && hasty_ledger_.ok_fired_after(healed_) > 200; }));
    load.stop();
    other.stop();
    ASSERT_TRUE(dispatcher.flush(300s));
  }
  // It takes a moment until each partition has a leader: docs/delivery.md.
  check("topic created under load", {.explained = {StatusCode::not_found}, .check_order = false});
}

/// One message of two hundred is such that the broker refuses its whole batch.
void KafkaOutcomeTest::survive_guilty_messages(const std::string& fault, StatusCode code,
                                               Ledger::Shape (*shape_of)(std::size_t)) {
  {
    TriggerDispatcher dispatcher(config(kafka_conn(R"(, "linger_ms": 5)")));
    Load load(dispatcher, ledger_, "b", 2ms, shape_of);
    Load other(dispatcher, hasty_ledger_, "hasty", 2ms, shape_of);
    ASSERT_TRUE(eventually([&] { return ledger_.count(code) > 10 && hasty_ledger_.count(StatusCode::ok) > 200; }));
    healed_ = Ledger::Clock::now();
    load.stop();
    other.stop();
    ASSERT_TRUE(dispatcher.flush(300s));
  }
  EXPECT_EQ(ledger_.count(code), (ledger_.fired() + 100) / 200) << "not just the guilty ones";
  check(fault, {.check_order = false});
}

TEST_F(KafkaOutcomeTest, ABatchWithOneMessageThatIsTooLarge) {
  create(1, " --config max.message.bytes=100000");
  survive_guilty_messages("one message of two hundred too large", StatusCode::too_large, [](std::size_t n) {
    return n % 200 == 99 ? Ledger::Shape{.bytes = 120'000, .guilty = true} : Ledger::Shape();
  });
}

TEST_F(KafkaOutcomeTest, ABatchWithOneMessageWithoutAKey) {
  create(1, " --config cleanup.policy=compact");
  survive_guilty_messages(
      "one message of two hundred without a key, topic compacted", StatusCode::invalid_argument,
      [](std::size_t n) { return n % 200 == 99 ? Ledger::Shape{.keyed = false, .guilty = true} : Ledger::Shape(); });
}

TEST_F(KafkaOutcomeTest, ALoginThatIsCutAtEachStep) {
  create_topics({topics_[0], topics_[1]}, partitions);
  FaultProxy proxy = kafka_proxy("_SASL");
  {
    TriggerDispatcher dispatcher(config(
        R"("conn_details": {"bootstrap_servers": "127.0.0.1:)" + std::to_string(proxy.port()) +
            R"(", "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_plain_username": "alice", )"
            R"("sasl_plain_password": "right"})",
        soon));
    ASSERT_NO_FATAL_FAILURE(under_load(
        dispatcher, ledger_, [&] { cut_login_at_each_step(proxy, 700, 29); }, healed_, 1ms, &hasty_ledger_));
  }
  check("cut at each step of a SASL login", {});
}

}  // namespace
}  // namespace action_triggers::tests
