// SPDX-License-Identifier: MIT
// The fixture for tests of applications: the real path without a server, and matchers that fail when they should.
#include "action_triggers/testing/trigger_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "action_triggers/json.hpp"

namespace action_triggers::testing {
namespace {

using ::testing::AllOf;
using ::testing::DescribeMatcher;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::PrintToString;

const char* const shop = R"({
  "brokers": {
    "order_events": {"broker_type": "kafka", "conn_details": {"bootstrap_servers": "kafka:9092"},
                     "params": {"topic": "orders", "content_type": "application/json"}},
    "order_mails": {"broker_type": "rabbitmq", "params": {"exchange": "mails"}},
    "by_key": {"broker_type": "rabbitmq", "params": {"exchange": "e", "routing_key": "r", "key_as_routing_key": true}},
    "audit": {"broker_type": "own", "conn_details": {"any": "thing"}},
    "queue": {"broker_type": "rabbitmq", "params": {"queue": "q"}}},
  "triggers": {
    "order_paid": {"events": ["order.paid"], "targets": ["order_events",
      {"broker": "order_mails", "when": {"total": [{"numeric": [">=", 100]}]}, "params": {"routing_key": "large"},
       "body": {"order": "{{ /id }}"}, "key": "order-{{ /id }}", "headers": {"event": "{{ event.name }}"}},
      {"broker": "order_mails", "when": {"total": [{"numeric": ["<", 100]}]}, "params": {"routing_key": "small"}}]},
    "everything": {"events": ["order.#"], "targets": ["audit"]},
    "keys": {"events": ["key"], "targets": ["by_key", "queue"]}}})";

/// With a type of the application's own.
BrokerRegistry registry() {
  return BrokerRegistry::builtin().add(
      "own", [](const BrokerConfig&) -> std::unique_ptr<Broker> { throw std::runtime_error("not in a test"); });
}

class TriggerFixtureTest : public ::testing::Test {
 protected:
  TriggerFixture fixture_ = TriggerFixture::parse(shop, registry());
};

TEST_F(TriggerFixtureTest, SaysWhatReachesWhichBrokerInTheFilesOrder) {
  EXPECT_THAT(fixture_.emitted("order.paid", R"({"id": 42, "total": 100})"),
              ElementsAre(Sent("order_events", BodyIs(R"({"id": 42, "total": 100})"), KeyIs(""), TopicIs("orders"),
                               FromTrigger("order_paid"), ContentTypeIs("application/json")),
                          Sent("order_mails", BodyIsJson(R"({"order": 42})"), KeyIs("order-42"), RoutingKeyIs("large"),
                               HeaderIs("event", "order.paid"), ContentTypeIs("")),
                          Sent("audit", FromTrigger("everything"), BodyIs(HasSubstr("42")))));
  EXPECT_THAT(fixture_.emitted("order.paid", R"({"id": 1, "total": 99.99})"),
              ElementsAre(Sent("order_events"), Sent("order_mails", RoutingKeyIs("small"), BodyIs(HasSubstr("99.99"))),
                          Sent("audit")));
  EXPECT_THAT(fixture_.emitted("nobody.listens", "{}"), IsEmpty());
}

TEST_F(TriggerFixtureTest, TakesMessagesAndJson) {
  EXPECT_THAT(fixture_.emitted("order.seen", Message{.body = "x", .key = "k", .headers = {{"h", "v"}}, .id = "mine"}),
              ElementsAre(AllOf(Sent("audit", KeyIs("k"), HeaderIs("h", "v")), Field(&SentMessage::id, "mine"))));
  EXPECT_THAT(fixture_.emitted("order.seen", nlohmann::json{{"id", 1}}),
              ElementsAre(Sent("audit", BodyIs(nlohmann::json{{"id", 1}}), ContentTypeIs("application/json"))));
}

TEST_F(TriggerFixtureTest, AMessageThatCannotBeMadeIsNotLost) {
  const auto sent = fixture_.emitted("order.paid", R"({"total": 100})");
  EXPECT_THAT(sent,
              ElementsAre(Sent("order_events"),
                          NotSent("order_mails", HasCode(StatusCode::invalid_argument), FromTrigger("order_paid")),
                          Sent("audit")));
  EXPECT_THAT(sent[1], Not(Sent("order_mails")));
  EXPECT_THAT(sent[0], Not(NotSent("order_events")));
  EXPECT_THAT(PrintToString(sent[1]), AllOf(HasSubstr("nothing to 'order_mails' by trigger 'order_paid': "),
                                            HasSubstr("invalid_argument"), HasSubstr("/id")));
}

TEST_F(TriggerFixtureTest, DestinationsHaveTheParamsOfTheirTargets) {
  const auto sent = fixture_.emitted("order.paid", R"({"id": 42, "total": 100})");
  EXPECT_THAT(sent[1], DestinationIs<RabbitMqConfig>(AllOf(Field("exchange", &RabbitMqConfig::exchange, "mails"),
                                                           Field("key", &RabbitMqConfig::routing_key, "large"))));
  EXPECT_THAT(sent[0], DestinationIs<KafkaConfig>(Field(&KafkaConfig::topic, "orders")));
  EXPECT_THAT(sent[0], Not(DestinationIs<RabbitMqConfig>(::testing::_)));
  EXPECT_THAT(fixture_.emitted("key", Message{.body = "x", .key = "k"}),
              ElementsAre(Sent("by_key", RoutingKeyIs("k")), Sent("queue", RoutingKeyIs("q"))));
  EXPECT_THAT(fixture_.emitted("key", "x"), ElementsAre(Sent("by_key", RoutingKeyIs("r")), Sent("queue")));
}

/// What a matcher says of a message that it does not match; empty if it does.
template <class Matcher>
std::string why_not(const Matcher& matcher, const SentMessage& message) {
  ::testing::StringMatchResultListener listener;
  const auto typed = ::testing::SafeMatcherCast<const SentMessage&>(matcher);
  return typed.MatchAndExplain(message, &listener) ? "" : "no: " + listener.str();
}

TEST_F(TriggerFixtureTest, MatchersSayWhatIsWrong) {
  const auto sent = fixture_.emitted("order.paid", R"({"id": 42, "total": 100})");
  const SentMessage& mail = sent[1];
  EXPECT_EQ(why_not(Sent("order_events"), mail), "no: whose broker is 'order_mails'");
  EXPECT_THAT(why_not(Sent("order_mails", BodyIsJson(R"({"order": 41})")), mail),
              HasSubstr("whose body has 42 at /order instead of 41"));
  EXPECT_EQ(why_not(NotSent("order_mails"), mail), "no: which was sent");
  EXPECT_EQ(why_not(FromTrigger("everything"), mail), "no: whose trigger is 'order_paid'");
  EXPECT_EQ(why_not(RoutingKeyIs("small"), mail), "no: whose routing key is 'large'");
  EXPECT_EQ(why_not(RoutingKeyIs("small"), sent[0]), "no: which does not go to RabbitMQ");
  EXPECT_EQ(why_not(TopicIs("others"), sent[0]), "no: whose topic is 'orders'");
  EXPECT_EQ(why_not(TopicIs("orders"), mail), "no: which does not go to Kafka");
  EXPECT_EQ(why_not(DestinationIs<KafkaConfig>(::testing::_), mail), "no: which has no destination of that type");
  EXPECT_THAT(why_not(DestinationIs<RabbitMqConfig>(Field("exchange", &RabbitMqConfig::exchange, "e")), mail),
              HasSubstr("mails"));
  EXPECT_THAT(DescribeMatcher<const SentMessage&>(Sent("order_mails", KeyIs("k"), RoutingKeyIs("r"))),
              AllOf(HasSubstr("is sent to 'order_mails'"), HasSubstr(R"(key is equal to "k")"),
                    HasSubstr(R"(routing key is equal to "r")")));
  EXPECT_THAT(PrintToString(mail), HasSubstr("to 'order_mails' by trigger 'order_paid': message{body: "));
}

TEST_F(TriggerFixtureTest, WhatTheApplicationsCodeSends) {
  static_cast<void>(fixture_.emitted("order.seen", "not among them"));
  static_cast<void>(fixture_.dispatcher().fire("queue", "1"));
  static_cast<void>(fixture_.dispatcher().emit("order.seen", "2"));
  static_cast<void>(fixture_.dispatcher().fire("queue", "3"));
  static_cast<void>(fixture_.dispatcher().fire("quue", "4"));
  EXPECT_THAT(fixture_.sent(),
              ElementsAre(Sent("audit", BodyIs("2")), Sent("queue", BodyIs("1")), Sent("queue", BodyIs("3")),
                          NotSent("quue", HasCode(StatusCode::not_found))));
  EXPECT_THAT(fixture_.sent(), IsEmpty());
}

TEST(TriggerFixtureFileTest, LoadsTheRealFileWithEverythingThatIsWrong) {
  const std::string path = ::testing::TempDir() + "trigger_fixture_test.json";
  std::ofstream(path)
      << R"({"brokers": {"b": {"broker_type": "memory"}}, "triggers": {"t": {"events": ["e"], "targets": [
    {"broker": "b", "key": "{{ tenant }}"}]}}})";
  ConfigOptions options;
  options.names["tenant"] = [] { return std::string("acme"); };
  TriggerFixture fixture = TriggerFixture::load(path, BrokerRegistry::builtin(), options);
  EXPECT_THAT(fixture.emitted("e", ""), ElementsAre(Sent("b", KeyIs("acme"))));
  EXPECT_THROW(TriggerFixture::load(path), ConfigError) << "without the name";
  TriggerFixture with_loaded(load_config(path, BrokerRegistry::builtin(), options));
  EXPECT_THAT(with_loaded.emitted("e", ""), ElementsAre(Sent("b", KeyIs("acme"))));
  std::remove(path.c_str());
}

TEST_F(TriggerFixtureTest, FunctionsForEventsTakePart) {
  fixture_.dispatcher().on("key", "to_audit", [](const Event& event) -> std::vector<AddressedMessage> {
    return {{"audit", event.copy()}, {"nowhere", event.copy()}};
  });
  EXPECT_THAT(fixture_.emitted("key", Message{.body = "x", .key = "k"}),
              ElementsAre(Sent("by_key", RoutingKeyIs("k"), FromTrigger("keys")), Sent("queue"),
                          Sent("audit", BodyIs("x"), KeyIs("k"), FromTrigger("to_audit")),
                          NotSent("nowhere", HasCode(StatusCode::not_found), FromTrigger("to_audit"))));
}

}  // namespace
}  // namespace action_triggers::testing
