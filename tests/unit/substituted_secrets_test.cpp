// SPDX-License-Identifier: MIT
// What a placeholder stands for is a secret: no text that anybody reads quotes it, wherever it is put.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "base/text.hpp"
#include "unit/config_places.hpp"
#include "unit/config_support.hpp"

namespace action_triggers {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using tests::Environment;
using tests::Place;
using tests::problems_of;
using tests::TemporaryFile;

constexpr const char* variable = "ACTION_TRIGGERS_TEST_MARKER";
constexpr const char* secret = "s3cretmarker";

/// Everything that is said of this configuration, whether it loads or not, in lower case.
std::string all_that_is_said(const std::string& text, const BrokerRegistry& registry, const ConfigOptions& options) {
  std::string said;
  const auto add = [&](const ConfigProblem& problem) {
    for (const std::string& part :
         {problem.broker, problem.section, problem.key, problem.pointer, problem.text, problem.hint}) {
      said += part + "\n";
    }
  };
  try {
    for (const ConfigProblem& warning : parse_config(text, registry, options).warnings) add(warning);
  } catch (const ConfigError& error) {
    for (const ConfigProblem& problem : error.problems()) add(problem);
    said += std::string(error.what()) + error.to_json();
  }
  return detail::ascii_lower(said);
}

/// The values that are tried: wrong ones of every kind, and such that somewhere is right.
std::vector<std::string> values() {
  const std::string mark = secret;
  return {mark,
          mark + ".example.org",
          "app:" + mark + "@rabbit:5672",
          "localhost:1,app:" + mark + "@rabbit:5672, " + mark + ":x",
          "amqp://app:" + mark + "@rabbit:5672/v",
          "amqp://app:" + mark + "/x@rabbit:5672/v",
          "amqp://" + mark + ":pw@rabbit:5672/" + mark,
          "http://" + mark,
          mark + " with blanks",
          mark + "@SECLEVEL=0",
          "PLAINTEXT" + mark,
          "all," + mark,
          std::string(300, 'x') + mark,
          mark + "\n\x1B[31m",
          "99999999999999" + mark,
          "/nonexistent/" + mark + ".pem"};
}

/// The placeholders through which a value gets there, as they stand in JSON.
std::vector<std::string> placeholders() {
  const std::string dollar = std::string("${") + variable + "}";
  return {"\"" + dollar + "\"",
          "\"before " + dollar + " after\"",
          "\"localhost:1," + dollar + "\"",
          "\"amqp://u:" + dollar + "@localhost\"",
          "[\"" + dollar + "\"]",
          "[\"localhost\", \"" + dollar + "\", 5]",
          "{\"k\": \"" + dollar + "\", \"arguments\": {\"x-message-ttl\": \"" + dollar + "\", \"x-mine\": \"" + dollar +
              "\"}, \"ca_file\": \"" + dollar + "\", \"type\": \"" + dollar + "\", \"max_attempts\": \"" + dollar +
              "\", \"initial_backoff_ms\": \"" + dollar + "\"}",
          "\"${vault:x}\"",
          "\"{{ name }}\""};
}

/// Every place that a table has, and some that nobody knows.
std::vector<Place> all_places(const BrokerRegistry& registry) {
  std::vector<Place> all = tests::places(registry);
  for (const std::string& type : registry.types()) {
    all.push_back({type, "conn_details", "unknown"});
    all.push_back({type, "params", "unknown"});
  }
  return all;
}

/// A configuration that is right but for the one value, if that is wrong.
std::string config_with(const Place& place, const std::string& value) {
  const auto section = [&](const char* name, const char* needed_key, const std::string& needed) {
    std::string text = std::string("\"") + name + "\": {";
    const bool is_here = place.section == name;
    const bool needs = !(is_here && place.key == needed_key) && needed_key != std::string();
    if (needs) text += std::string("\"") + needed_key + "\": " + needed;
    if (is_here) text += (needs ? ", \"" : "\"") + place.key + "\": " + value;
    return text + "}";
  };
  const bool kafka = place.type == "kafka";
  const bool rabbitmq = place.type == "rabbitmq" && place.key != "exchange";
  return R"({"brokers": {"b": {"broker_type": ")" + place.type + "\", " +
         section("conn_details", kafka ? "bootstrap_servers" : "", "\"localhost:9092\"") + ", " +
         section("params",
                 kafka      ? "topic"
                 : rabbitmq ? "queue"
                            : "",
                 "\"q\"") +
         "}}}";
}

TEST(SubstitutedSecretsTest, AreQuotedNowhereWhateverPlaceTheyArePut) {
  BrokerRegistry registry = BrokerRegistry::builtin();
  registry.add("generic", [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  registry.add(
      "throws",
      [](BrokerSection& section) -> std::unique_ptr<BrokerConfig> {
        for (const std::string& key : section.conn_details.keys()) {
          if (auto text = section.conn_details.scalar(key)) throw std::invalid_argument("bad value: " + *text);
        }
        return std::make_unique<BrokerConfig>();
      },
      [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  const std::vector<Place> everywhere = all_places(registry);
  EXPECT_GT(everywhere.size(), 100U);
  for (const std::string& value : values()) {
    const Environment environment(variable, value.c_str());
    const ConfigOptions options{.resolvers = {{"vault", [&](std::string_view) { return value; }}},
                                .names = {{"name", [&] { return value; }}}};
    for (const Place& place : everywhere) {
      for (const std::string& placeholder : placeholders()) {
        const std::string text = config_with(place, placeholder);
        ASSERT_THAT(all_that_is_said(text, registry, options), Not(HasSubstr(secret))) << value << " in\n" << text;
      }
    }
    for (const char* setting : {"max_broker_timeout", "require_tls", "unknown"}) {
      for (const std::string& placeholder : placeholders()) {
        const std::string text =
            R"({"brokers": {}, "settings": {")" + std::string(setting) + "\": " + placeholder + "}}";
        ASSERT_THAT(all_that_is_said(text, registry, options), Not(HasSubstr(secret))) << value << " in\n" << text;
      }
    }
  }
}

TEST(SubstitutedSecretsTest, NumbersAreHiddenToo) {
  const Environment number(variable, "4711");
  const auto text = [](const std::string& params) {
    return R"({"brokers": {"b": {"broker_type": "memory", "params": )" + params + "}}}";
  };
  const std::string value = std::string("\"${") + variable + "}\"";
  EXPECT_THAT(
      problems_of([&] {
        return parse_config(text(R"({"retry": {"initial_backoff_ms": )" + value + R"(, "max_backoff_ms": 1}})"));
      }),
      ElementsAre("The field 'initial_backoff_ms' (***) must not be larger than 'max_backoff_ms' (1)."));
  EXPECT_THAT(problems_of([&] {
                return parse_config(text(R"({"retry": {"max_backoff_ms": 1, "initial_backoff_ms": )" + value + "}}"));
              }),
              Not(Contains(HasSubstr("4711"))));
  const Environment huge(variable, "99999999999");
  EXPECT_THAT(problems_of([&] { return parse_config(text(R"({"timeout_secs": )" + value + "}")); }),
              ElementsAre("The field 'timeout_secs' must be at most 31536000 seconds, not ***."));
}

TEST(SubstitutedSecretsTest, AReasonThatQuotesNoneIsShown) {
  const Environment environment(variable, secret);
  BrokerRegistry registry;
  std::string reason = "out of luck";
  registry.add(
      "broken",
      [&](BrokerSection& section) -> std::unique_ptr<BrokerConfig> {
        static_cast<void>(section.conn_details.string("p"));
        throw std::runtime_error(reason);
      },
      [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  const std::string text =
      std::string(R"({"brokers": {"b": {"broker_type": "broken", "conn_details": {"p": "${)") + variable + R"(}"}}}})";
  EXPECT_THAT(problems_of([&] { return parse_config(text, registry); }),
              ElementsAre("The broker's configuration cannot be read: out of luck"));
  reason += secret;
  EXPECT_THAT(problems_of([&] { return parse_config(text, registry); }),
              ElementsAre("The broker's configuration cannot be read: the reason is not shown, since it quotes a value "
                          "from a substitution."));
}

}  // namespace
}  // namespace action_triggers
