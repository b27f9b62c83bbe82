// SPDX-License-Identifier: MIT
// ConfigOptions::allow_unknown: files of a program that has resolvers, names and broker types of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "unit/config_places.hpp"
#include "unit/config_support.hpp"

namespace action_triggers {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using tests::problems_of;

const BrokerRegistry registry = BrokerRegistry::builtin();

Config lenient(const std::string& text) { return parse_config(text, registry, {.allow_unknown = true}); }

std::string one_broker(const std::string& type, const std::string& conn_details, const std::string& params) {
  return R"({"brokers": {"b": {"broker_type": ")" + type + R"(", "conn_details": {)" + conn_details +
         R"(}, "params": {)" + params + "}}}}";
}

std::vector<std::string> warnings(const std::string& text) {
  std::vector<std::string> all;
  for (const ConfigProblem& warning : lenient(text).warnings) all.push_back(warning.pointer + ": " + warning.text);
  return all;
}

TEST(AllowUnknownTest, WhatIsUnknownIsAWarningWithItsPlace) {
  EXPECT_THAT(warnings(one_broker("rabbitmq", R"("password": "${vault:rabbit}", "port": "${vault:port}")",
                                  R"("queue": "{{ tenant }}-mails")")),
              ElementsAre("/brokers/b/conn_details/password: There is no resolver 'vault'. Known resolvers: file. The "
                          "value is not checked.",
                          "/brokers/b/conn_details/port: There is no resolver 'vault'. Known resolvers: file. The "
                          "value is not checked.",
                          "/brokers/b/params/queue: Path 'tenant' not allowed. The value is not checked."));
  EXPECT_THAT(warnings(one_broker("pigeon", R"("loft": 5)", R"("timeout_secs": 1)")),
              ElementsAre("/brokers/b/broker_type: There is no broker type 'pigeon'. Its own settings are not "
                          "checked."));
}

TEST(AllowUnknownTest, WhatIsKnownIsCheckedAsEver) {
  EXPECT_THAT(problems_of([] {
                return lenient(one_broker("rabbitmq", R"("password": "${vault:rabbit}", "prot": 1, "port": "x")",
                                          R"("timeout_secs": -1)"));
              }),
              ElementsAre(StartsWith("Unknown field 'prot'."), "The field 'port' must be an integer.",
                          "The field 'queue' must be provided.", HasSubstr("timeout_secs")));
  EXPECT_THAT(problems_of([] { return lenient(one_broker("pigeon", "", R"("timeout_secs": 0)")); }),
              ElementsAre(HasSubstr("timeout_secs")));
  EXPECT_THAT(problems_of([] { return lenient(one_broker("memory", R"("server": "${NOT_SET_ANYWHERE}")", "")); }),
              ElementsAre(HasSubstr("is not set")));
}

TEST(AllowUnknownTest, NoPlaceIsRefusedForAValueThatNobodyKnows) {
  for (const tests::Place& place : tests::places(registry)) {
    const detail::KafkaProperty* property = detail::find_kafka_property(place.key);
    if (property != nullptr && property->rule == detail::KafkaPropertyRule::refused) continue;
    const bool is_param = place.section == "params";
    const std::string value = "\"" + place.key + R"(": "${vault:x}")";
    std::string conn = is_param ? "" : value;
    std::string params = is_param ? value : "";
    const auto add = [](std::string& to, const std::string& more) { to += (to.empty() ? "" : ", ") + more; };
    if (place.type == "kafka" && !place.key.starts_with("bootstrap")) add(conn, R"("bootstrap_servers": "localhost")");
    if (place.type == "kafka" && place.key != "topic") add(params, R"("topic": "t")");
    if (place.key.starts_with("ssl") && place.type == "kafka") add(conn, R"("security_protocol": "${vault:x}")");
    if (place.key.starts_with("sasl")) add(conn, R"("security_protocol": "${vault:x}")");
    if (place.key == "exchange") add(params, R"("routing_key": "r")");
    if (place.key == "routing_key" || place.key == "key_as_routing_key") add(params, R"("exchange": "e")");
    const bool has_target = params.find("exchange") != std::string::npos || place.key == "queue";
    if (place.type == "rabbitmq" && !has_target) add(params, R"("queue": "q")");
    if (place.key == "exchange" && !is_param) continue;
    if (place.key == "max_block_ms") add(params, R"("overflow": "${vault:x}")");
    const std::string text = one_broker(place.type, conn, params);
    EXPECT_THAT(problems_of([&] { return lenient(text); }), IsEmpty()) << text;
  }
}

TEST(AllowUnknownTest, IsNotForUse) {
  EXPECT_THROW(TriggerDispatcher(lenient(one_broker("pigeon", "", ""))), std::runtime_error);
  EXPECT_THAT(problems_of([] { return parse_config(one_broker("memory", R"("server": "${vault:x}")", "")); }),
              Contains(HasSubstr("There is no resolver 'vault'.")));
}

}  // namespace
}  // namespace action_triggers
