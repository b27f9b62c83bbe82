// SPDX-License-Identifier: MIT
// The schema against the loader: what the tables say is in their language, and each key of the schema is one of the
// loader's. Whole configurations are held against it in tests/cli/schema_test.py, with a validator.
#include "action_triggers/config_schema.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "config/field_table.hpp"
#include "config/root_section.hpp"
#include "config_support.hpp"

namespace action_triggers {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

std::vector<const FieldInfo*> all_fields() {
  std::vector<const FieldInfo*> all = detail::common_fields();
  const BrokerRegistry registry = BrokerRegistry::builtin();
  const auto add = [&](const std::vector<const FieldInfo*>& fields) {
    all.insert(all.end(), fields.begin(), fields.end());
  };
  for (const std::string& type : registry.types()) add(registry.find(type)->fields());
  for (const detail::RootSection& section : detail::root_sections()) {
    if (section.fields != nullptr) add(section.fields());
  }
  return all;
}

TEST(ConfigSchemaTest, WhatTablesSayIsInTheirLanguage) {
  const std::string one =
      "(str|int|float|bool|null|dict|scalar|any JSON|(list|dict) of (2 )?"
      "(str|int|bool)((, | and )(str|int|bool|dict))*)";
  const std::string type = one + "( or " + one + ")*";
  const std::string values =
      "(-?[0-9.]+ to [0-9.]+|may be empty|`[^`]+`(, `[^`]+`)*( or `[^`]+`)?(, in any case)?)?(, )?"
      "(such as `[^`]+`(, `[^`]+`)*)?";
  for (const FieldInfo* field : all_fields()) {
    EXPECT_THAT(std::string(field->type), MatchesRegex(type)) << field->key;
    EXPECT_THAT(std::string(field->values), MatchesRegex(values)) << field->key;
  }
}

/// Of "^[kK][aA]…$".
std::string a_spelling_of(const std::string& pattern) {
  std::string spelling;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '^' || pattern[i] == '$') continue;
    const bool is_choice = pattern[i] == '[';
    spelling += pattern[is_choice ? i + 1 : i];
    if (is_choice) i = pattern.find(']', i);
  }
  return spelling;
}

/// The keys of an object's schema, as the loader would be given them: {"key": null}, {"retry": {"key": null}}.
void add_texts(const nlohmann::json& schema, const std::string& before, const std::string& after,
               std::vector<std::string>& texts) {
  if (!schema.contains("properties")) return;
  for (const auto& [key, value] : schema["properties"].items()) {
    const std::string quoted = nlohmann::json(key).dump();
    texts.push_back(before + "{" + quoted + ": null}" + after);
    add_texts(value, before + "{" + quoted + ": ", "}" + after, texts);
  }
}

TEST(ConfigSchemaTest, EachOfItsKeysIsOneOfTheLoaders) {
  const auto schema = nlohmann::json::parse(config_schema(BrokerRegistry::builtin()));
  std::vector<std::string> texts;
  const nlohmann::json& sections = schema["definitions"];
  for (const auto& rule : sections["brokers"]["additionalProperties"]["allOf"]) {
    const std::string type = a_spelling_of(rule["if"]["properties"]["broker_type"]["pattern"]);
    for (const char* part : {"conn_details", "params"}) {
      add_texts(rule["then"]["properties"][part],
                R"({"brokers": {"b": {"broker_type": ")" + type + "\", \"" + part + "\": ", "}}}", texts);
    }
  }
  const std::string start = R"({"brokers": {}, ")";
  for (const char* name : {"settings", "outbox"}) add_texts(sections[name], start + name + "\": ", "}", texts);
  add_texts(sections["triggers"]["additionalProperties"], start + R"(triggers": {"t": )", "}}", texts);
  add_texts(sections["triggers"]["additionalProperties"]["properties"]["targets"]["items"],
            start + R"(triggers": {"t": {"targets": [)", "]}}}", texts);
  add_texts(sections["capture"]["additionalProperties"],
            start + R"(outbox": {"type": "sqlite", "path": "p"}, "capture": {"t": )", "}}", texts);
  EXPECT_GT(texts.size(), 200U);
  const auto is_known = [](const std::string& text) {
    const auto problems = tests::problems_of([&] { return parse_config(text); });
    return std::none_of(problems.begin(), problems.end(),
                        [](const std::string& problem) { return problem.starts_with("Unknown field"); });
  };
  EXPECT_FALSE(
      is_known(R"({"brokers": {"b": {"broker_type": "rabbitmq", "params": {"declare": {"nonsense": null}}}}})"));
  for (const std::string& text : texts) {
    // What is declared is a queue, or with this an exchange.
    std::string of_exchange = text;
    if (const std::size_t at = text.find("\"declare\""); at != std::string::npos) {
      of_exchange.insert(at, R"("exchange": "e", )");
    }
    EXPECT_TRUE(is_known(text) || is_known(of_exchange)) << text;
  }
}

TEST(ConfigSchemaTest, OfATypeThatSaysNothingAnyKeysAreAccepted) {
  BrokerRegistry registry;
  registry.add("pigeon", [](const BrokerConfig&) -> std::unique_ptr<Broker> { return nullptr; });
  const auto schema = nlohmann::json::parse(config_schema(registry));
  const nlohmann::json& entry = schema["definitions"]["brokers"]["additionalProperties"];
  EXPECT_THAT(entry["properties"]["broker_type"]["anyOf"][0]["enum"], ElementsAre("pigeon"));
  EXPECT_THAT(entry["allOf"][0]["then"], IsEmpty());
}

TEST(ConfigSchemaTest, AFileMayNameItsSchema) {
  const auto problems = [](const std::string& text) { return tests::problems_of([&] { return parse_config(text); }); };
  EXPECT_THAT(problems(R"({"$schema": "s.json", "brokers": {}})"), IsEmpty());
  EXPECT_THAT(problems(R"({"$schema": "${NOT_LOOKED_AT}", "brokers": {}})"), IsEmpty());
  EXPECT_THAT(problems(R"({"$schema": 7, "brokers": {}})"), ElementsAre("The field '$schema' must be of type str."));
  EXPECT_THAT(problems(R"({"ACTION_TRIGGERS": {"$schema": "s.json", "brokers": {}}})"), Contains(HasSubstr("Unknown")));
}

}  // namespace
}  // namespace action_triggers
