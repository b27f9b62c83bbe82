// SPDX-License-Identifier: MIT
// params.envelope: CloudEvents in place of messages, made between the lane and the broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "action_triggers/testing/matchers.hpp"
#include "support/eventually.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::ElementsAre;
using testing::HasCode;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class CloudEventsTest : public ::testing::Test {
 protected:
  /// A destination "orders" of the type "memory", with these params.
  static Config config_of(const std::string& params, const std::string& triggers = "{}") {
    return parse_config(R"({"brokers": {"orders": {"broker_type": "memory", "params": )" + params +
                        R"(}}, "triggers": )" + triggers + "}");
  }
  void make(Config config, DispatcherOptions options = {}) {
    BrokerRegistry registry = BrokerRegistry::builtin();
    registry.add("memory", memory_->maker());
    dispatcher_ = std::make_unique<TriggerDispatcher>(std::move(config), registry, std::move(options));
  }
  void make(const std::string& envelope, const std::string& attributes = R"({"source": "/shop"})",
            const std::string& triggers = "{}") {
    make(config_of(R"({"envelope": "cloudevents_)" + envelope + R"(", "cloudevents": )" + attributes + "}", triggers));
  }
  Message sent(const Message& message) {
    EXPECT_THAT(dispatcher_->fire("orders", message).wait(), IsOk());
    return memory_->messages("orders").back();
  }
  json sent_json(const Message& message) { return json::parse(sent(message).body); }

  const std::shared_ptr<InMemoryBroker> memory_ = std::make_shared<InMemoryBroker>();
  std::unique_ptr<TriggerDispatcher> dispatcher_;
};

// ------------------------------------------------------------------------------------------------------------- binary

TEST_F(CloudEventsTest, BinaryPutsTheAttributesIntoHeadersAndLeavesTheRest) {
  make("binary", R"({"source": "/shop", "type": "order.paid", "subject": "42", "dataschema": "https://example.org/s",
                     "extensions": {"tenant": "a"}})");
  Message message{.body = R"({"id": 42})", .key = "k", .headers = {{"a", "b"}}, .content_type = "application/json"};
  message.id = "i";
  message.properties = Properties{.timestamp = std::chrono::sys_days(std::chrono::January / 2 / 2027) + 3h + 4ms};
  const Message got = sent(message);
  EXPECT_THAT(got.headers, ElementsAre(Header{"a", "b"}, Header{"ce_specversion", "1.0"}, Header{"ce_id", "i"},
                                       Header{"ce_source", "/shop"}, Header{"ce_type", "order.paid"},
                                       Header{"ce_subject", "42"}, Header{"ce_time", "2027-01-02T03:00:00.004Z"},
                                       Header{"ce_dataschema", "https://example.org/s"}, Header{"ce_tenant", "a"}));
  Message rest = got;
  rest.headers = message.headers;
  EXPECT_EQ(rest, message);
}

TEST_F(CloudEventsTest, TheTypeIsTheDestinationsNameIfNothingElseSaysIt) {
  make("binary");
  const Message got = sent({.body = "x", .id = "i"});
  EXPECT_THAT(got.headers, ElementsAre(Header{"ce_specversion", "1.0"}, Header{"ce_id", "i"},
                                       Header{"ce_source", "/shop"}, Header{"ce_type", "orders"}));
}

TEST_F(CloudEventsTest, AMessagesOwnHeadersWin) {
  make("binary", R"({"source": "/shop", "subject": "all"})");
  const Message got = sent({.body = "x", .headers = {{"ce_subject", "42"}, {"ce_type", "t"}}, .id = "i"});
  EXPECT_THAT(got.headers,
              ElementsAre(Header{"ce_specversion", "1.0"}, Header{"ce_id", "i"}, Header{"ce_source", "/shop"},
                          Header{"ce_subject", "42"}, Header{"ce_type", "t"}));
}

TEST_F(CloudEventsTest, BinaryHasEachAttributeOnceAndTheContentTypeInItsPlace) {
  make("binary");
  const Message got = sent(
      {.body = "x",
       .headers = {{"ce_subject", "1"}, {"ce_datacontenttype", "text/plain"}, {"ce_subject", "2"}, {"ce_type", ""}},
       .content_type = "text/html",
       .id = "i"});
  EXPECT_THAT(got.headers,
              ElementsAre(Header{"ce_specversion", "1.0"}, Header{"ce_id", "i"}, Header{"ce_source", "/shop"},
                          Header{"ce_type", "orders"}, Header{"ce_subject", "2"}));
  EXPECT_EQ(got.content_type, "text/plain");
}

TEST_F(CloudEventsTest, ATimeThatCannotBeWrittenIsLeftOut) {
  make("binary");
  using std::chrono::milliseconds;
  for (const milliseconds since_epoch : {milliseconds::max(), milliseconds::min(), milliseconds(253'402'300'800'000),
                                         milliseconds(-62'167'219'200'001)}) {
    Message message{.body = "x", .id = "i"};
    message.properties = Properties{.timestamp = std::chrono::sys_time<milliseconds>(since_epoch)};
    EXPECT_THAT(sent(message).headers, SizeIs(4)) << since_epoch.count();
  }
}

// --------------------------------------------------------------------------------------------------------- structured

TEST_F(CloudEventsTest, StructuredIsOneJsonObjectWithTheBodyInIt) {
  make("structured", R"({"source": "/shop", "extensions": {"tenant": "a"}})");
  const Message got = sent({.body = R"({"total": 10.10})",
                            .headers = {{"a", "b"}, {"ce_subject", "4\"2"}, Header::integer("ce_version", 2)},
                            .id = "i"});
  EXPECT_EQ(got.body, R"({"specversion":"1.0","id":"i","source":"/shop","type":"orders","tenant":"a","subject":"4\"2",)"
                      R"("version":2,"data":{"total": 10.10}})");
  EXPECT_EQ(got.content_type, "application/cloudevents+json");
  EXPECT_THAT(got.headers, ElementsAre(Header{"a", "b"})) << "what is an attribute is no header any more";
}

TEST_F(CloudEventsTest, StructuredHasOtherBodiesAsTextOrInBase64) {
  make("structured");
  const json text = sent_json({.body = "a \"b\"", .content_type = "text/plain; charset=utf-8"});
  EXPECT_EQ(text.at("data"), "a \"b\"");
  EXPECT_EQ(text.at("datacontenttype"), "text/plain; charset=utf-8");

  const json bytes = sent_json({.body = std::string("\0\xFF\x10", 3), .content_type = "application/protobuf"});
  EXPECT_EQ(bytes.at("data_base64"), "AP8Q");
  EXPECT_EQ(sent_json({.body = "\xFF", .content_type = "text/plain"}).at("data_base64"), "/w==") << "not UTF-8";
  EXPECT_EQ(sent_json({.body = "{", .content_type = "application/json"}).at("data_base64"), "ew==") << "not JSON";
  EXPECT_EQ(sent_json({.body = R"([1])", .content_type = "application/vnd.shop+JSON"}).at("data"), json::array({1}));

  const json unnamed = sent_json({.body = "hello"});
  EXPECT_EQ(unnamed.at("data_base64"), "aGVsbG8=");
  EXPECT_EQ(unnamed.at("datacontenttype"), "application/octet-stream") << "or it would be taken for JSON";
  EXPECT_FALSE(sent_json({.body = ""}).contains("data"));
}

TEST_F(CloudEventsTest, StructuredHasEachMemberOnce) {
  make("structured");
  const Message got = sent({.body = "<a/>",
                            .headers = {{"ce_subject", "1"},
                                        {"ce_data", "d"},
                                        {"ce_subject", "2"},
                                        {"ce_datacontenttype", "application/xml"}},
                            .content_type = "text/html",
                            .id = "i"});
  EXPECT_EQ(got.body, R"({"specversion":"1.0","id":"i","source":"/shop","type":"orders","subject":"2",)"
                      R"("datacontenttype":"application/xml","data":"<a/>"})");
  EXPECT_THAT(got.headers, ElementsAre(Header{"ce_data", "d"})) << "no attribute has that name";
}

TEST_F(CloudEventsTest, StructuredHasNumbersAndBooleansOfExtensionsOnlyAndWhereTheyFit) {
  make("structured");
  const json got = sent_json(
      {.body = "",
       .headers = {Header::integer("ce_subject", 42), Header::boolean("ce_type", true),
                   Header::integer("ce_small", -2'147'483'648), Header::integer("ce_large", 2'147'483'648),
                   Header::boolean("ce_flag", true), Header{"ce_odd", R"(1,"id":"x")", HeaderType::integer},
                   Header{"ce_old", "007", HeaderType::integer}, Header{"ce_maybe", "perhaps", HeaderType::boolean}},
       .id = "i"});
  EXPECT_EQ(got, json({{"specversion", "1.0"},
                       {"id", "i"},
                       {"source", "/shop"},
                       {"subject", "42"},
                       {"type", "true"},
                       {"small", -2'147'483'648},
                       {"large", "2147483648"},
                       {"flag", true},
                       {"odd", R"(1,"id":"x")"},
                       {"old", "007"},
                       {"maybe", "perhaps"}}));
}

TEST_F(CloudEventsTest, StructuredHasNoPlaceForAContentEncoding) {
  make("structured");
  const Message message{.body = "\x1F\x8B", .properties = Properties{.content_encoding = "gzip"}};
  const DeliveryReport report = dispatcher_->fire("orders", message).wait();
  EXPECT_THAT(report, HasCode(StatusCode::invalid_argument));
  EXPECT_THAT(report.status.message(), HasSubstr("content_encoding"));
}

TEST_F(CloudEventsTest, StructuredLeavesATombstoneWhatItIs) {
  make("structured");
  Message message{.body = "", .key = "k", .id = "i"};
  message.properties = Properties{.tombstone = true};
  const Message got = sent(message);
  EXPECT_TRUE(got.properties->tombstone);
  EXPECT_EQ(got.headers.at(1), (Header{"ce_id", "i"}));
}

TEST_F(CloudEventsTest, AnAttributeThatNoJsonCanHoldIsTheMessagesFault) {
  make("structured");
  memory_->hold();
  std::vector<Delivery> deliveries;
  for (const char* subject : {"1", "\xFF", "2"}) {
    deliveries.push_back(dispatcher_->fire("orders", Message{.body = "{}", .headers = {{"ce_subject", subject}}}));
  }
  EXPECT_THAT(deliveries[1].wait(), HasCode(StatusCode::invalid_argument));
  EXPECT_THAT(deliveries[1].wait().status.message(), HasSubstr("'subject' is not UTF-8"));
  memory_->release();
  EXPECT_THAT(deliveries[0].wait(), IsOk());
  EXPECT_THAT(deliveries[2].wait(), IsOk());
}

// ------------------------------------------------------------------------------------------------------------- events

const std::string paid = R"({"paid": {"events": ["order.*"], "targets": )";

TEST_F(CloudEventsTest, AnEventsNameAndTimeAreTypeAndTime) {
  make("structured", R"({"source": "/shop"})", paid + R"(["orders"]}})");
  EXPECT_TRUE(dispatcher_->emit("order.paid", R"({"id": 42})").all_ok());
  const json got = json::parse(memory_->messages("orders").back().body);
  EXPECT_EQ(got.at("type"), "order.paid");
  EXPECT_THAT(got.at("time").get<std::string>(), ::testing::MatchesRegex("20..-..-..T..:..:..\\....Z"));
  EXPECT_EQ(got.at("data"), json({{"id", 42}}));
}

TEST_F(CloudEventsTest, ATargetsHeadersAndTheConfigurationSayMore) {
  make("binary", R"({"source": "/shop", "type": "t"})",
       paid + R"([{"broker": "orders", "headers": {"ce_subject": "order-{{ /id }}", "ce_time": "{{ /at }}"}}]}})");
  EXPECT_TRUE(dispatcher_
                  ->emit("order.paid", Message{.body = R"({"id": 42, "at": "2026-11-27T00:00:00Z"})",
                                               .headers = {{"ce_time", "wrong"}},
                                               .id = "i"})
                  .all_ok());
  EXPECT_THAT(memory_->messages("orders").back().headers,
              UnorderedElementsAre(Header{"ce_subject", "order-42"}, Header{"ce_time", "2026-11-27T00:00:00Z"},
                                   Header{"ce_specversion", "1.0"}, Header{"ce_id", "i"}, Header{"ce_source", "/shop"},
                                   Header{"ce_type", "t"}));
  EXPECT_TRUE(dispatcher_->emit("order.paid", Message{.body = R"({"id": 1, "at": "x"})"}).all_ok());
}

TEST_F(CloudEventsTest, AnEventsOwnAttributesWinOverItsName) {
  make("binary", R"({"source": "/shop"})", paid + R"(["orders"]}})");
  EXPECT_TRUE(dispatcher_->emit("order.paid", Message{.body = "{}", .headers = {{"ce_type", "own"}}}).all_ok());
  const Message arrived = memory_->messages("orders").back();
  std::vector<std::string> types;
  for (const Header& header : arrived.headers) {
    if (header.name == "ce_type") types.push_back(header.value);
  }
  EXPECT_THAT(types, ::testing::ElementsAre("own"));
}

TEST_F(CloudEventsTest, ATargetCanHaveAnEnvelopeOfItsOwn) {
  make(config_of("{}", paid + R"([{"broker": "orders", "params": {"envelope": "cloudevents_binary",
                                    "cloudevents": {"source": "/other"}}}]}})"));
  EXPECT_TRUE(dispatcher_->emit("order.paid", Message{.body = "{}", .id = "i"}).all_ok());
  EXPECT_THAT(memory_->messages("orders").back().headers, ::testing::Contains(Header{"ce_source", "/other"}));
  EXPECT_THAT(sent({.body = "plain"}).headers, IsEmpty()) << "on a lane of its own, without an envelope";
}

// ------------------------------------------------------------------------------------------- between lane and broker

TEST_F(CloudEventsTest, TheApplicationHearsOfTheMessageThatItFired) {
  DispatcherOptions options;
  Message failed;
  options.on_failure = [&failed](const DeliveryReport&, const MessageView& message) { failed = message.copy(); };
  make(config_of(R"({"envelope": "cloudevents_structured", "cloudevents": {"source": "/shop"}})"), std::move(options));
  memory_->unroutable_next();
  const Message message{.body = "{}", .headers = {{"ce_type", "t"}}, .id = "i"};
  EXPECT_THAT(dispatcher_->fire("orders", message).wait(), HasCode(StatusCode::unroutable));
  ASSERT_TRUE(dispatcher_->flush(30s));
  EXPECT_EQ(failed, message);
}

TEST_F(CloudEventsTest, WhatIsSentAgainIsTheSame) {
  make("binary");
  memory_->lose_confirmation_next();
  EXPECT_THAT(dispatcher_->fire("orders", Message{.body = "x", .id = "i"}).wait(), IsOk());
  const auto arrived = memory_->messages("orders");
  ASSERT_EQ(arrived.size(), 2U);
  EXPECT_EQ(arrived[0], arrived[1]);
}

TEST_F(CloudEventsTest, ABrokerThatTakesFewIsOfferedTheRestAgain) {
  make("binary");
  memory_->block();
  std::vector<Delivery> deliveries;
  for (int i = 0; i < 100; ++i) deliveries.push_back(dispatcher_->fire("orders", std::to_string(i)));
  memory_->unblock();
  for (const Delivery& delivery : deliveries) EXPECT_THAT(delivery.wait(), IsOk());
  const auto arrived = memory_->messages("orders");
  ASSERT_EQ(arrived.size(), 100U);
  for (std::size_t i = 0; i < arrived.size(); ++i) EXPECT_EQ(arrived[i].body, std::to_string(i));
}

TEST_F(CloudEventsTest, ATargetWithAnEnvelopeOfItsOwnHasAConnectionThatIsSeen) {
  make(config_of("{}", paid + R"(["orders", {"broker": "orders", "params": {
         "envelope": "cloudevents_binary", "cloudevents": {"source": "/shop"}}}]}})"));
  ASSERT_TRUE(dispatcher_->emit("order.paid", "{}").all_ok());
  const Stats stats = dispatcher_->stats();
  ASSERT_THAT(stats.connections, SizeIs(2));
  EXPECT_THAT((std::vector{stats.connections[0].name, stats.connections[1].name}),
              UnorderedElementsAre("orders", "orders (CloudEvents)"));
  EXPECT_EQ(stats.brokers.at("orders").connection, "orders");
}

TEST_F(CloudEventsTest, ALostConnectionOfATargetWithAnEnvelopeIsSeen) {
  BrokerRegistry registry = BrokerRegistry::builtin();
  const auto down = std::make_shared<InMemoryBroker>();
  down->go_down({StatusCode::unauthenticated, "wrong password"});
  registry.add("memory", [this, down](const BrokerConfig& config) {
    const auto* const support = dynamic_cast<const CloudEventsSupport*>(&config);
    return support->cloudevents == nullptr ? memory_->maker()(config) : down->maker()(config);
  });
  dispatcher_ = std::make_unique<TriggerDispatcher>(config_of("{}", paid + R"([{"broker": "orders", "params": {
         "envelope": "cloudevents_binary", "cloudevents": {"source": "/shop"}}}]}})"),
                                                    registry);
  // Until both connections have got as far as they come: what is fired gets through, and some of its targets do not.
  Health health;
  ASSERT_TRUE(tests::eventually(
      [&] {
        health = dispatcher_->health();
        return health.state == HealthState::degraded && health.reasons[0].what.find("yet") == std::string::npos;
      },
      30s));
  ASSERT_THAT(health.reasons, SizeIs(1));
  EXPECT_THAT(health.reasons[0].what, HasSubstr("some of its targets have no connection: unauthenticated"));
}

// ------------------------------------------------------------------------------------------------------ configuration

TEST_F(CloudEventsTest, EachBrokerTypeHasItsPrefix) {
  const Config config = parse_config(R"({"brokers": {
    "k": {"broker_type": "kafka", "conn_details": {"bootstrap_servers": "localhost:9092"}, "params": {
      "topic": "t", "content_type": "text/plain", "envelope": "cloudevents_structured", "cloudevents": {"source": "/"}}},
    "r": {"broker_type": "rabbitmq", "params": {
      "queue": "q", "envelope": "cloudevents_binary", "cloudevents": {"source": "/"}}}}})");
  const auto& of_kafka = dynamic_cast<const CloudEventsSupport&>(*config.find("k")).cloudevents;
  EXPECT_EQ(of_kafka->header_prefix, "ce_");
  EXPECT_EQ(of_kafka->mode, CloudEventsMode::structured);
  EXPECT_EQ(of_kafka->content_type, "text/plain");
  const auto& of_rabbitmq = dynamic_cast<const CloudEventsSupport&>(*config.find("r")).cloudevents;
  EXPECT_EQ(of_rabbitmq->header_prefix, "ce-");
  EXPECT_EQ(of_rabbitmq->mode, CloudEventsMode::binary);
}

TEST_F(CloudEventsTest, NoneIsAsIfNothingWasSaid) {
  make(config_of(R"({"envelope": "none", "cloudevents": {"source": "/shop"}})"));
  EXPECT_EQ(sent({.body = "x", .id = "i"}), (Message{.body = "x", .id = "i"}));
}

struct Wrong {
  const char* params;
  const char* key;   // where
  const char* text;  // what
  const char* hint;  // the way out
};

class WrongCloudEventsTest : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongCloudEventsTest, IsSaidWithItsPlaceAndAWayOut) {
  try {
    static_cast<void>(parse_config(R"({"brokers": {"orders": {"broker_type": "memory", "params": )" +
                                   std::string(GetParam().params) + "}}}"));
    FAIL() << "nothing was wrong";
  } catch (const ConfigError& error) {
    ASSERT_EQ(error.problems().size(), 1U) << error.what();
    const ConfigProblem& problem = error.problems().front();
    EXPECT_EQ(problem.key, GetParam().key);
    EXPECT_THAT(problem.text, HasSubstr(GetParam().text));
    EXPECT_THAT(problem.hint, HasSubstr(GetParam().hint));
    EXPECT_GT(problem.line, 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongCloudEventsTest,
    ::testing::Values(
        Wrong{R"({"envelope": "cloudevents"})", "envelope", "must be one of 'none', 'cloudevents_binary'", ""},
        Wrong{R"({"envelope": "cloudevents_binary"})", "cloudevents", "must be provided",
              "\"source\": \"/shop/orders\""},
        Wrong{R"({"envelope": "cloudevents_binary", "cloudevents": {"type": "t"}})", "cloudevents.source",
              "must be provided", "/shop/orders"},
        Wrong{R"({"cloudevents": {"source": "/"}})", "cloudevents", "needs an 'envelope'", "cloudevents_structured"},
        Wrong{R"({"envelope": "cloudevents_binary", "cloudevents": {"source": "a b"}})", "cloudevents.source",
              "must be a URI reference, which 'a b' is not", "%20"},
        Wrong{R"({"envelope": "cloudevents_binary", "cloudevents": {"source": "%4"}})", "cloudevents.source",
              "must be a URI reference", "%20"},
        Wrong{R"({"envelope": "cloudevents_binary", "cloudevents": {"source": "/", "type": "a\u0085"}})",
              "cloudevents.type", "control characters", ""},
        Wrong{R"({"envelope": "cloudevents_binary", "cloudevents": {"source": "/", "dataschema": "/s"}})",
              "cloudevents.dataschema", "must be a URI, which '/s' is not", "https://"},
        Wrong{R"({"envelope": "cloudevents_binary", "cloudevents": {"source": "/", "extensions": {"Tenant": "a"}}})",
              "cloudevents.extensions.Tenant", "lower-case letters and digits", ""},
        Wrong{R"({"envelope": "cloudevents_binary", "cloudevents": {"source": "/", "extensions": {"time": "a"}}})",
              "cloudevents.extensions.time", "CloudEvents has it already", "header"},
        Wrong{R"({"envelope": "cloudevents_binary", "cloudevents": {"source": "/", "typ": "t"}})", "cloudevents.typ",
              "Unknown field", ""}));

}  // namespace
}  // namespace action_triggers
