// SPDX-License-Identifier: MIT
// The `triggers` section: what it becomes, and what is said of one that is wrong.
#include "triggers/triggers_section.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "action_triggers/kafka.hpp"
#include "action_triggers/rabbitmq.hpp"
#include "triggers/trigger_config.hpp"
#include "unit/config_support.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

/// Brokers `orders` (complete), `mails` (its exchange lacks a routing key), and these triggers, which begin at 5:13.
std::string file_with(const std::string& triggers) {
  return R"({"brokers": {
  "orders": {"broker_type": "rabbitmq", "params": {"queue": "orders"}},
  "mails": {"broker_type": "rabbitmq", "params": {"exchange": "mails"}}
},
"triggers": )" +
         triggers + "}";
}
std::string target(const std::string& text) { return R"({"t": {"events": ["e"], "targets": [)" + text + "]}}"; }

struct Case {
  const char* name;
  std::string triggers;
  std::vector<std::string> problems;

  friend void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }
};

class TriggersProblemsTest : public ::testing::TestWithParam<Case> {};

TEST_P(TriggersProblemsTest, AreSaidWithTheirPlace) {
  RecordProperty("configuration", file_with(GetParam().triggers));  // for tests/cli/schema_test.py
  std::vector<std::string> found;
  try {
    static_cast<void>(parse_config(file_with(GetParam().triggers)));
  } catch (const ConfigError& error) {
    for (const ConfigProblem& problem : error.problems()) {
      found.push_back(problem.pointer + " " + (problem.line == 5 ? "" : "line " + std::to_string(problem.line) + " ") +
                      problem.text + (problem.hint.empty() ? "" : " " + problem.hint));
    }
  }
  EXPECT_THAT(found, ElementsAreArray(GetParam().problems));
}

const std::string mails_lack = "/brokers/mails/params line 3 The field 'routing_key' must be provided.";

INSTANTIATE_TEST_SUITE_P(
    Malformed, TriggersProblemsTest,
    ::testing::Values(
        Case{"NotAnObject", "[]", {mails_lack, "/triggers The field 'triggers' must be an object."}},
        Case{"ATriggerThatIsNone",
             R"({"t": "orders"})",
             {mails_lack, "/triggers/t A trigger must be an object with events and targets."}},
        Case{"NoName", R"({"": {}})", {mails_lack, "/triggers/ A trigger needs a name."}},
        Case{"NothingInIt",
             R"({"t": {}})",
             {mails_lack, "/triggers/t The field 'events' must be provided.",
              "/triggers/t The field 'targets' must be provided."}},
        Case{"EmptyLists",
             R"({"t": {"events": [], "targets": []}})",
             {mails_lack,
              "/triggers/t/events The field 'events' must be a list of event names or patterns, such as 'order.*'.",
              "/triggers/t/targets The field 'targets' must be a list of brokers, and not be empty."}},
        Case{"UnknownField",
             R"({"t": {"event": "e", "events": "e", "targets": ["orders"]}})",
             {mails_lack, "/triggers/t/event Unknown field 'event'. Did you mean 'events'?"}},
        Case{"ActiveIsNoBoolean",
             R"({"t": {"events": "e", "active": "yes", "targets": ["orders"]}})",
             {mails_lack, "/triggers/t/active The field 'active' must be of type bool."}},
        Case{"AnEventThatIsNone",
             R"({"t": {"events": ["e", 7], "targets": ["orders"]}})",
             {mails_lack, "/triggers/t/events/1 An event's name must be of type str."}},
        Case{"UnknownBroker",
             target(R"("order")"),
             {mails_lack, "/triggers/t/targets/0 There is no broker 'order'. Did you mean 'orders'?"}},
        Case{"UnknownBrokerOfAnObject",
             target(R"({"broker": "order"})"),
             {mails_lack, "/triggers/t/targets/0/broker There is no broker 'order'. Did you mean 'orders'?"}},
        Case{"ATargetThatIsNone",
             target("7"),
             {mails_lack, "/triggers/t/targets/0 A target is the name of a broker, or an object with 'broker'."}},
        Case{"ATargetWithoutBroker",
             target(R"({"key": "k"})"),
             {mails_lack, "/triggers/t/targets/0 The field 'broker' must be provided."}},
        Case{"UnknownFieldOfATarget",
             target(R"({"broker": "orders", "header": {}})"),
             {mails_lack, "/triggers/t/targets/0/header Unknown field 'header'. Did you mean 'headers'?"}},
        Case{"FieldsOfATargetOfTheWrongType",
             target(R"({"broker": "orders", "key": 7, "content_type": [], "headers": [], "params": 1})"),
             {mails_lack, "/triggers/t/targets/0/key The field 'key' must be of type str.",
              "/triggers/t/targets/0/content_type The field 'content_type' must be of type str.",
              "/triggers/t/targets/0/headers The field 'headers' must be an object.",
              "/triggers/t/targets/0/params The field 'params' must be an object."}},
        Case{"HeadersOfTheWrongType",
             target(R"({"broker": "orders", "headers": {"": "a", "b": 1.5}})"),
             {mails_lack, "/triggers/t/targets/0/headers/ A header needs a name.",
              "/triggers/t/targets/0/headers/b A header is a string, an integer, true or false."}},
        Case{"ABrokerThatLacksSomething",
             target(R"("mails")"),
             {"/triggers/t/targets/0 'mails' lacks params.routing_key. Give it there, or as this target's own: "
              "{\"broker\": …, \"params\": {…}}."}},
        Case{"ParamsThatDoNotSupplyIt",
             target(R"({"broker": "mails", "params": {"mandatory": true}})"),
             {"/triggers/t/targets/0/params The field 'routing_key' must be provided."}},
        Case{"Overwritten",
             target(R"({"broker": "orders", "params": {"queue": "other"}})"),
             {mails_lack,
              "/triggers/t/targets/0/params/queue queue cannot be overwritten. 'orders' sets it to another value."}},
        Case{"AParamOfTheWrongType",
             target(R"({"broker": "orders", "params": {"priority": "high"}})"),
             {mails_lack, "/triggers/t/targets/0/params/priority The field 'priority' must be an integer."}},
        Case{
            "AnUnknownParam",
            target(R"({"broker": "orders", "params": {"prioritty": 1}})"),
            {mails_lack, "/triggers/t/targets/0/params/prioritty Unknown field 'prioritty'. Did you mean 'priority'?"}},
        Case{"AWrongTimeout",
             target(R"({"broker": "orders", "timeout_secs": -1})"),
             {mails_lack,
              "/triggers/t/targets/0/timeout_secs The field 'timeout_secs' must be at least 0.001 seconds, not -1."}},
        Case{"AnUnknownPlaceholder",
             target(R"({"broker": "orders", "key": "{{ event.nam }}"})"),
             {mails_lack, "/triggers/t/targets/0/key Path 'event.nam' not allowed. Did you mean 'event.name'?"}},
        Case{"AnUnknownOperator",
             R"({"t": {"events": "e", "when": {"a": [{"prefx": "b"}]}, "targets": ["orders"]}})",
             {mails_lack, "/triggers/t/when/a/0/prefx Unknown operator 'prefx'. Did you mean 'prefix'?"}}),
    [](const auto& each) { return std::string(each.param.name); });

const TriggersConfig& triggers_of(const Config& config) { return *config.section<TriggersConfig>(); }

TEST(TriggersSectionTest, OneEventNeedsNoList) {
  const Config config = parse_config(R"({"brokers": {"m": {"broker_type": "memory"}},
                                         "triggers": {"t": {"events": "order.#", "targets": ["m"]}}})");
  const TriggerConfig& trigger = triggers_of(config).triggers.at(0);
  EXPECT_EQ(trigger.name, "t");
  EXPECT_TRUE(trigger.active);
  EXPECT_THAT(trigger.events, ElementsAre("order.#"));
  EXPECT_TRUE(trigger.targets.at(0).passes_on());
}

TEST(TriggersSectionTest, AnEventThatStandsThereTwiceIsAWarning) {
  const Config config = parse_config(R"({"brokers": {"m": {"broker_type": "memory"}},
                                         "triggers": {"t": {"events": ["a", "b", "a"], "targets": ["m"]}}})");
  ASSERT_EQ(config.warnings.size(), 1U);
  EXPECT_EQ(config.warnings[0].text, "'a' stands in this list twice.");
  EXPECT_EQ(config.warnings[0].pointer, "/triggers/t/events/2");
}

TEST(TriggersSectionTest, ABaseMayLackWhatEachTargetSupplies) {
  const Config config = parse_config(file_with(R"({"t": {"events": "e", "targets": [
      {"broker": "mails", "params": {"routing_key": "mail"}, "timeout_secs": 5},
      {"broker": "mails", "params": {"routing_key": "mail"}, "timeout_secs": 5},
      {"broker": "orders", "params": {"queue": "orders"}}]}})"));
  EXPECT_EQ(config.find("mails"), nullptr) << "it cannot be fired at";
  const auto& targets = triggers_of(config).triggers.at(0).targets;
  const auto* const mails = dynamic_cast<const RabbitMqConfig*>(targets.at(0).derived.get());
  ASSERT_NE(mails, nullptr);
  EXPECT_EQ(mails->name, "mails");
  EXPECT_EQ(mails->exchange, "mails");
  EXPECT_EQ(mails->routing_key, "mail");
  EXPECT_EQ(mails->timeout, std::chrono::seconds(5));
  EXPECT_EQ(mails->connection_key, config.find("orders")->connection_key) << "it costs no connection";
  EXPECT_EQ(targets.at(1).derived, targets.at(0).derived) << "equal ones are one destination";
  EXPECT_EQ(triggers_of(config).derived.size(), 2U);
  EXPECT_EQ(triggers_of(config).incomplete.at("mails"),
            "'mails' has no params.routing_key of its own: only targets of triggers that give it one can send there");
}

TEST(TriggersSectionTest, PlaceholdersOfTheEnvironmentAreSubstitutedAndTemplatesAreNot) {
  const tests::Environment tenant("AT_TEST_TENANT", "blue");
  const tests::Environment key("AT_TEST_KEY", "mail.blue");
  const Config config =
      parse_config(file_with(R"({"t": {"events": "e", "when": {"tenant": ["${AT_TEST_TENANT}"]}, "targets": [
      {"broker": "mails", "params": {"routing_key": "${AT_TEST_KEY}"}, "key": "${AT_TEST_TENANT}-{{ /id }}"}]}})"));
  const TriggerConfig& trigger = triggers_of(config).triggers.at(0);
  const auto* const mails = dynamic_cast<const RabbitMqConfig*>(trigger.targets.at(0).derived.get());
  ASSERT_NE(mails, nullptr);
  EXPECT_EQ(mails->routing_key, "mail.blue");
  PayloadJson json;
  EventView event({.name = "e", .id = "1", .time = {}, .body = R"({"id": 7, "tenant": "blue"})"}, json);
  ASSERT_NE(event.json(), nullptr);
  EXPECT_TRUE(trigger.when->matches(event.json()->root()));
  std::string text;
  std::string error;
  ASSERT_TRUE(trigger.targets.at(0).key->render(event, text, error)) << error;
  EXPECT_EQ(text, "blue-7");
}

}  // namespace
}  // namespace action_triggers::detail
