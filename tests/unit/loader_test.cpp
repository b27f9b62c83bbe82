// SPDX-License-Identifier: MIT
// The root of a file, its sections, and what all destinations have in common.
#include "config/loader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/memory.hpp"
#include "unit/config_support.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::Environment;
using tests::memory_with;
using tests::problems_of;

TEST(LoaderTest, TheMapMayBeSpelledThreeWays) {
  for (const char* text : {R"({"brokers": {"b": {"broker_type": "memory"}}})",
                           R"({"ACTION_TRIGGERS": {"brokers": {"b": {"broker_type": "memory"}}}})",
                           R"({"ACTION_BROKERS": {"b": {"broker_type": "memory"}}})"}) {
    EXPECT_NE(parse_config(text).find_as<MemoryConfig>("b"), nullptr) << text;
  }
  const Config together = parse_config(R"({"brokers": {"a": {"broker_type": "memory"}},
    "ACTION_TRIGGERS": {"brokers": {"b": {"broker_type": "memory"}}, "settings": {"MAX_BROKER_TIMEOUT": 2}},
    "ACTION_BROKERS": {"c": {"broker_type": "memory"}}})");
  EXPECT_THAT(together.brokers, SizeIs(3));
  EXPECT_EQ(together.find("c")->timeout, 2s);
  EXPECT_EQ(together.find("d"), nullptr);
}

TEST(LoaderTest, BrokerTypeIgnoresCase) {
  EXPECT_EQ(parse_config(R"({"brokers": {"b": {"broker_type": "MeMoRy"}}})").find("b")->broker_type, "memory");
}

TEST(LoaderTest, NullSectionsAreEmpty) {
  const Config config =
      parse_config(R"({"brokers": {"b": {"broker_type": "memory", "conn_details": null, "params": null}}})");
  EXPECT_EQ(config.find_as<MemoryConfig>("b")->server, "default");
}

TEST(LoaderTest, NoBrokersAtAllIsAConfiguration) { EXPECT_THAT(parse_config(R"({"brokers": {}})").brokers, IsEmpty()); }

TEST(LoaderTest, TheSmallerTimeoutCounts) {
  const auto timeout = [](const std::string& params, const std::string& settings) {
    return memory_with(params, settings).find("b")->timeout;
  };
  EXPECT_EQ(timeout("{}", "{}"), 30s);
  EXPECT_EQ(timeout(R"({"timeout_secs": 90})", "{}"), 90s);
  EXPECT_EQ(timeout("{}", R"({"max_broker_timeout": 60})"), 60s);
  EXPECT_EQ(timeout(R"({"timeout_secs": 90})", R"({"max_broker_timeout": 60})"), 60s);
  EXPECT_EQ(timeout(R"({"timeout_secs": 5})", R"({"max_broker_timeout": 60})"), 5s);
  EXPECT_EQ(timeout(R"({"timeout_secs": 0.001})", R"({"max_broker_timeout": 60})"), 1ms);
  EXPECT_EQ(timeout(R"({"timeout_secs": 5})", R"({"max_broker_timeout": 0.001})"), 1ms);
}

TEST(LoaderTest, ATypesOwnTimeoutStaysUnlessTheFileSaysOtherwise) {
  BrokerRegistry registry;
  registry.add(
      "slow",
      [](BrokerSection&) {
        auto config = std::make_unique<BrokerConfig>();
        config->timeout = 120s;
        return config;
      },
      [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  const auto timeout = [&](const std::string& params, const std::string& settings) {
    const std::string text = R"({"brokers": {"b": {"broker_type": "slow", "params": )" + params + "}}, \"settings\": ";
    return parse_config(text + settings + "}", registry).find("b")->timeout;
  };
  EXPECT_EQ(timeout("{}", "{}"), 120s);
  EXPECT_EQ(timeout(R"({"timeout_secs": 5})", "{}"), 5s);
  EXPECT_EQ(timeout("{}", R"({"max_broker_timeout": 60})"), 60s);
  EXPECT_EQ(timeout(R"({"timeout_secs": 300})", R"({"max_broker_timeout": 60})"), 60s);
}

TEST(LoaderTest, EqualConnDetailsAreOneConnectionHoweverTheyAreWritten) {
  const Environment server("ACTION_TRIGGERS_TEST_SET", "s");
  const Config config = parse_config(R"({"brokers": {
    "a": {"broker_type": "memory", "conn_details": {"server": "s"}, "params": {"timeout_secs": 1}},
    "b": {"broker_type": "Memory", "conn_details": { "server" : "${ACTION_TRIGGERS_TEST_SET}" }},
    "c": {"broker_type": "memory", "conn_details": {"server": "t"}}}})");
  EXPECT_EQ(config.find("a")->connection_key, config.find("b")->connection_key);
  EXPECT_NE(config.find("a")->connection_key, config.find("c")->connection_key);
}

struct PigeonConfig : BrokerConfig {
  std::string loft;
  std::int64_t birds = 0;
};

TEST(LoaderTest, AnApplicationsTypeReadsItsOwnSections) {
  BrokerRegistry registry = BrokerRegistry::builtin();
  registry.add(
      "Pigeon",
      [](BrokerSection& section) {
        auto config = std::make_unique<PigeonConfig>();
        config->loft = section.conn_details.required_string("loft");
        config->birds = section.params.integer("birds", 1, 9).value_or(1);
        return config;
      },
      [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  const std::string head = R"({"brokers": {"p": {"broker_type": "PIGEON", "conn_details": )";
  const Config config =
      parse_config(head + R"({"loft": "roof"}, "params": {"birds": 3, "timeout_secs": 7}}}})", registry);
  const auto* pigeon = config.find_as<PigeonConfig>("p");
  ASSERT_NE(pigeon, nullptr);
  EXPECT_EQ(pigeon->loft, "roof");
  EXPECT_EQ(pigeon->birds, 3);
  EXPECT_EQ(pigeon->timeout, 7s);  // the common keys come for nothing
  EXPECT_THAT(
      problems_of([&] { return parse_config(head + R"({"lofts": "roof"}, "params": {"birds": 10}}}})", registry); }),
      ElementsAre("The field 'loft' must be provided.", "Unknown field 'lofts'. Did you mean 'loft'?",
                  "The field 'birds' must be between 1 and 9, not 10."));
}

TEST(LoaderTest, AParserThatThrowsIsAProblemOfItsBroker) {
  BrokerRegistry registry;
  registry.add(
      "broken", [](BrokerSection&) -> std::unique_ptr<BrokerConfig> { throw std::runtime_error("out of luck"); },
      [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  EXPECT_THAT(problems_of([&] { return parse_config(R"({"brokers": {"b": {"broker_type": "broken"}}})", registry); }),
              ElementsAre("The broker's configuration cannot be read: out of luck"));
}

TEST(LoaderTest, ABackendThatIsCompiledOutSaysSo) {
  BrokerRegistry registry = BrokerRegistry::builtin();
  registry.add_unavailable(
      "carrier", [](BrokerSection&) { return std::make_unique<BrokerConfig>(); }, "Built without carriers.");
  const std::string text = R"({"brokers": {"b": {"broker_type": "carrier"}}})";
  EXPECT_THAT(problems_of([&] { return parse_config(text, registry); }), ElementsAre("Built without carriers."));
  registry.add("carrier", [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });  // a double will do
  EXPECT_NE(parse_config(text, registry).find("b"), nullptr);
#if !defined(ACTION_TRIGGERS_WITH_KAFKA)
  EXPECT_THAT(problems_of([] {
                return parse_config(R"({"brokers": {"k": {"broker_type": "kafka", "params": {"topic": "t"},
                "conn_details": {"bootstrap_servers": "localhost:9092"}}}})");
              }),
              ElementsAre(HasSubstr("ACTION_TRIGGERS_WITH_KAFKA")));
#endif
}

// A section of another part of the library.

struct Alarms {
  std::vector<std::string> targets;
  std::int64_t level = 0;
  bool tls_is_required = false;
};

std::vector<detail::RootSection> sections_with_alarms() {
  std::vector<detail::RootSection> sections = detail::root_sections();
  sections.push_back({.key = "alarms",
                      .aliases = {"ALARMS"},
                      .order = 1,
                      .missing = {},
                      .read = [](detail::LoadContext& context, detail::Member& member, const std::string& pointer) {
                        auto alarms = std::make_shared<Alarms>();
                        alarms->tls_is_required = context.config.settings.require_tls;
                        context.read_section(member, pointer, [&](ConfigSection& section) {
                          alarms->level = section.integer("level", 1, 9).value_or(1);
                          for (ConfigSection& target : section.items("targets")) {
                            alarms->targets.push_back(target.text() ? *target.text()
                                                                    : target.required_string("broker"));
                          }
                        });
                        context.config.set_section<Alarms>(std::move(alarms));
                      }});
  return sections;
}

Config load_with_alarms(const std::string& text) {
  return detail::load(text, "f", BrokerRegistry::builtin(), {}, sections_with_alarms());
}

TEST(LoaderTest, ReadsASectionThatIsInTheTable) {
  const Environment level("ACTION_TRIGGERS_TEST_SET", "3");
  const std::string alarms = R"({"level": "${ACTION_TRIGGERS_TEST_SET}", "targets": ["a", {"broker": "b"}]})";
  const std::string rest = R"("settings": {"require_tls": true}, "brokers": {})";
  for (const std::string& text :
       {R"({"alarms": )" + alarms + ", " + rest + "}", R"({"ALARMS": )" + alarms + ", " + rest + "}",
        R"({"ACTION_TRIGGERS": {"alarms": )" + alarms + ", " + rest + "}}"}) {
    const Config config = load_with_alarms(text);
    ASSERT_NE(config.section<Alarms>(), nullptr) << text;
    EXPECT_EQ(config.section<Alarms>()->level, 3);
    EXPECT_THAT(config.section<Alarms>()->targets, ElementsAre("a", "b"));
    EXPECT_TRUE(config.section<Alarms>()->tls_is_required);  // the settings were read first
    EXPECT_EQ(Config(config).section<Alarms>(), config.section<Alarms>());
  }
  EXPECT_EQ(load_with_alarms(R"({"brokers": {}})").section<Alarms>(), nullptr);
  EXPECT_EQ(load_with_alarms(R"({"brokers": {}, "alarms": null})").section<Alarms>()->level, 0);
  EXPECT_EQ(load_with_alarms(R"({"brokers": {}})").section<std::string>(), nullptr);
}

TEST(LoaderTest, ReportsWhatIsWrongInASectionThatIsInTheTable) {
  try {
    static_cast<void>(load_with_alarms(R"({"brokers": {},
"alarms": {"levle": 1,
  "targets": [{"brokre": "x"}, 5, ""]},
"alarm": {}})"));
    FAIL() << "no ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(),
                 "f:2:21: alarms.levle: Unknown field 'levle'. Did you mean 'level'?\n"
                 "f:3:15: alarms.targets.0.broker: The field 'broker' must be provided.\n"
                 "f:3:26: alarms.targets.0.brokre: Unknown field 'brokre'. Did you mean 'broker'?\n"
                 "f:3:32: alarms.targets.1: The field 'targets.1' must be a string or an object.\n"
                 "f:3:35: alarms.targets.2: The field 'targets.2' must not be empty.\n"
                 "f:4:1: alarm: Unknown field 'alarm'. Did you mean 'alarms'?");
    EXPECT_EQ(error.problems().at(1).pointer, "/alarms/targets/0");
    EXPECT_EQ(error.problems().at(3).pointer, "/alarms/targets/1");
    EXPECT_EQ(error.problems().at(3).section, "alarms");
  }
  EXPECT_THAT(problems_of([] { return load_with_alarms(R"({"brokers": {}, "alarms": 5})"); }),
              ElementsAre("The field 'alarms' must be an object."));
  EXPECT_THAT(problems_of([] { return load_with_alarms(R"({"alarms": {}})"); }),
              ElementsAre(HasSubstr("There is no brokers map.")));
}

}  // namespace
}  // namespace action_triggers
