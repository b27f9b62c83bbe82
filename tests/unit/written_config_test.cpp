// SPDX-License-Identifier: MIT
// WrittenConfig: where settings stand in a file, without what nobody may see.
#include "triggers/written_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace action_triggers::detail {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const char* const file = R"({
  "brokers": {
    "mails": {
      "broker_type": "memory",
      "conn_details": {"server": "one", "password": "plain-secret",
                       "user": "${SET_VARIABLE}", "url": "amqp://u:plain-secret@host"},
      "params": {"timeout_secs": 2.50}
    },
    "bare": {"broker_type": "memory"}
  },
  "triggers": {
    "paid": {
      "events": ["order.paid"],
      "when": {"total": [{"numeric": [">=", 99.90]}], "by": ["${SET_VARIABLE}"]},
      "targets": [
        "mails",
        {"broker": "bare", "timeout_secs": 5, "when": {"a": [1]}, "key": "${UNSET_VARIABLE:-x}-{{ /id }}",
         "headers": {"b": "a\"${file:/p}\n$${kept}"}, "params": {"retry": {"max_attempts": "${UNSET_VARIABLE:-3}"}}},
        {"broker": "bare", "timeout_secs": null}
      ]
    }
  }
})";

class WrittenConfigTest : public ::testing::Test {
 protected:
  WrittenConfigTest() {
    setenv("SET_VARIABLE", "s3cret", 1);
    unsetenv("UNSET_VARIABLE");
  }
  ~WrittenConfigTest() override { unsetenv("SET_VARIABLE"); }

  std::vector<std::string> settings(std::string_view broker, std::string_view trigger, std::size_t target) {
    std::vector<std::string> lines;
    for (const WrittenSetting& setting : written_.settings(broker, trigger, target, registry_)) {
      std::string line = setting.section + "." + setting.key + "=" + setting.value + " " + std::to_string(setting.line);
      if (setting.is_of_target) line += " target";
      for (const std::string& from : setting.from) line += " " + from;
      lines.push_back(std::move(line));
    }
    return lines;
  }

  const WrittenConfig written_{file};
  const BrokerRegistry registry_ = BrokerRegistry::builtin();
};

TEST_F(WrittenConfigTest, KnowsWhereThingsStand) {
  EXPECT_EQ(written_.line_of_broker("mails"), 3U);
  EXPECT_EQ(written_.line_of_broker("none"), 0U);
  EXPECT_EQ(written_.line_of_trigger("paid"), 12U);
  EXPECT_EQ(written_.line_of_target("paid", 1), 17U);
  EXPECT_EQ(written_.line_of_target("paid", 3), 0U);
}

TEST_F(WrittenConfigTest, ShowsConditionsAsTheyAreWritten) {
  EXPECT_EQ(written_.condition_of("paid"), R"({"total": [{"numeric": [">=", 99.90]}], "by": ["${SET_VARIABLE}"]})");
  EXPECT_EQ(written_.condition_of("paid", 1), R"({"a": [1]})");
  EXPECT_EQ(written_.condition_of("paid", 0), "");
}

TEST_F(WrittenConfigTest, SaysWhereSettingsComeFromAndHidesSecrets) {
  const auto of_mails = settings("mails", "paid", 0);
  EXPECT_THAT(std::vector<std::string>(of_mails.begin(), of_mails.begin() + 5),
              ElementsAre(R"(conn_details.server="one" 5)", "conn_details.password=*** 5",
                          "conn_details.user=*** 6 environment variable SET_VARIABLE", "conn_details.url=*** 6",
                          "params.timeout_secs=2.50 7"));
  EXPECT_THAT(of_mails, Contains(HasSubstr("params.overflow=reject 0")));
  const auto of_bare = settings("bare", "paid", 1);
  EXPECT_THAT(
      std::vector<std::string>(of_bare.begin(), of_bare.begin() + 2),
      ElementsAre("params.retry.max_attempts=*** 18 target the default of ${UNSET_VARIABLE:-…}, which is not set",
                  "params.timeout_secs=5 17 target"));
  EXPECT_THAT(of_bare, Not(Contains(HasSubstr("timeout_secs=`"))));
  EXPECT_THAT(settings("bare", "paid", 2), Not(Contains(HasSubstr("target")))) << "null is no timeout of its own";
  EXPECT_THAT(settings("none", "paid", 0), IsEmpty());
}

TEST_F(WrittenConfigTest, MasksWhatMessagesWouldShow) {
  const std::string masked = written_.without_secrets();
  EXPECT_THAT(masked, HasSubstr(R"("key": "***-{{ /id }}")"));
  EXPECT_THAT(masked, HasSubstr(R"({"b": "a\"***\n$${kept}"})"));
  EXPECT_THAT(masked, HasSubstr(R"("by": ["${SET_VARIABLE}"])")) << "conditions stay";
  EXPECT_THAT(masked, HasSubstr(R"("user": "${SET_VARIABLE}")")) << "and brokers";
}

TEST_F(WrittenConfigTest, KeepsTheNamesOfPlaceholders) {
  const auto masked = [](const std::string& key) {
    const std::string before = R"({"triggers": {"t": {"targets": [{"broker": "b", "key": ")";
    const std::string text = WrittenConfig(before + key + R"("}]}}})").without_secrets();
    return text.substr(before.size(), text.size() - before.size() - 6);
  };
  EXPECT_EQ(masked("{{ /${A}/x }}${B}"), "{{ /${A}/x }}***");
  EXPECT_EQ(masked("{{ /${A}:-${B} }}"), "{{ /${A}:-*** }}") << "a default is sent";
  EXPECT_EQ(masked("{{{{ ${A}"), "{{{{ ***") << "the characters themselves";
  EXPECT_EQ(masked("{{ /a }} {{{{${A}"), "{{ /a }} {{{{***");
}

TEST_F(WrittenConfigTest, KnowsTheNamesOfSecrets) {
  for (const char* key : {"password", "sasl_plain_password", "sasl.password", "ssl.key.pem", "ssl.keystore.password",
                          "ssl_password", "ssl.key.password", "API_TOKEN", "pass"}) {
    EXPECT_TRUE(is_secret_key(key)) << key;
  }
  for (const char* key : {"host", "bootstrap_servers", "topic", "timeout_secs", "passive"}) {
    EXPECT_FALSE(is_secret_key(key)) << key;
  }
}

}  // namespace
}  // namespace action_triggers::detail
