// SPDX-License-Identifier: MIT
// What placeholders in a configuration become.
#include "config/substitution.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/broker_type.hpp"
#include "action_triggers/memory.hpp"
#include "unit/config_support.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::SizeIs;
using tests::Environment;
using tests::memory_with;
using tests::problems_of;
using tests::TemporaryFile;

/// conn_details.server of a destination of type memory, substituted.
std::string server_of(const std::string& value, const ConfigOptions& options = {}) {
  return parse_config(R"({"brokers": {"b": {"broker_type": "memory", "conn_details": {"server": )" +
                          nlohmann::json(value).dump() + "}}}}",
                      BrokerRegistry::builtin(), options)
      .find_as<MemoryConfig>("b")
      ->server;
}

TEST(SubstitutionTest, EnvironmentAndDefaults) {
  const Environment set("ACTION_TRIGGERS_TEST_SET", "value");
  const Environment empty("ACTION_TRIGGERS_TEST_EMPTY", "");
  EXPECT_EQ(server_of("${ACTION_TRIGGERS_TEST_SET}"), "value");
  EXPECT_EQ(server_of("a-${ACTION_TRIGGERS_TEST_SET}-${ACTION_TRIGGERS_TEST_SET}-b"), "a-value-value-b");
  EXPECT_EQ(server_of("${ACTION_TRIGGERS_TEST_SET:-other}"), "value");
  EXPECT_EQ(server_of("${ACTION_TRIGGERS_TEST_EMPTY:-other}"), "other");
  EXPECT_EQ(server_of("${ACTION_TRIGGERS_TEST_MISSING:-a default}"), "a default");
  EXPECT_EQ(server_of("$${HOME} costs 5$"), "${HOME} costs 5$");
  EXPECT_THAT(problems_of([] { return server_of("${ACTION_TRIGGERS_TEST_MISSING}"); }),
              ElementsAre("The environment variable 'ACTION_TRIGGERS_TEST_MISSING' is not set; set it, or write "
                          "${ACTION_TRIGGERS_TEST_MISSING:-default}."));
}

TEST(SubstitutionTest, HappensAfterParsingAndOnce) {
  // What a variable holds is a value: it cannot add keys, comments or further placeholders.
  const Environment hostile("ACTION_TRIGGERS_TEST_SET", R"(x", "other": "${HOME} {{ y }} // )");
  EXPECT_EQ(server_of("${ACTION_TRIGGERS_TEST_SET}"), R"(x", "other": "${HOME} {{ y }} // )");
}

TEST(SubstitutionTest, Files) {
  const TemporaryFile secret("s3cret\n");
  EXPECT_EQ(server_of("${file:" + secret.path.string() + "}"), "s3cret");  // without the line end that editors add
  EXPECT_THAT(problems_of([] { return server_of("${file:/nonexistent/secret}"); }),
              ElementsAre("The file '/nonexistent/secret' cannot be read: No such file or directory."));
}

TEST(SubstitutionTest, ResolversOfTheApplication) {
  ConfigOptions options;
  options.resolvers["vault"] = [](std::string_view path) -> std::optional<std::string> {
    if (path == "broken") throw std::runtime_error("the vault is sealed");
    if (path != "mq/password") return std::nullopt;
    return "s3cret";
  };
  EXPECT_EQ(server_of("${vault:mq/password}", options), "s3cret");
  EXPECT_THAT(problems_of([&] { return server_of("${vault:other}", options); }),
              ElementsAre("The resolver 'vault' knows nothing of 'other'."));
  EXPECT_THAT(problems_of([&] { return server_of("${vault:broken}", options); }),
              ElementsAre("The resolver 'vault' failed: the vault is sealed"));
  EXPECT_THAT(problems_of([&] { return server_of("${safe:x}", options); }),
              ElementsAre("There is no resolver 'safe'. Known resolvers: file, vault."));
}

TEST(SubstitutionTest, NamesOfTheReference) {
  ConfigOptions options;
  options.names["app.settings.host"] = [] { return "h"; };
  options.names["n"] = [] { return "{{ n }}"; };
  EXPECT_EQ(server_of("{{ app.settings.host }}", options), "h");
  EXPECT_EQ(server_of("{{app.settings.host}}-{{  app.settings.host  }}!", options), "h-h!");
  EXPECT_EQ(server_of("{{ n }}", options), "{{ n }}");
  EXPECT_EQ(server_of("{{ not closed", options), "{{ not closed");
  EXPECT_THAT(problems_of([&] { return server_of("{{ os.system }}", options); }),
              ElementsAre("Path 'os.system' not allowed."));
}

TEST(SubstitutionTest, ReachesNestedValuesButNotKeysNorNamesInLists) {
  BrokerRegistry registry = BrokerRegistry::builtin();
  registry.add("mine", [](const BrokerConfig&) { return std::unique_ptr<Broker>(); });
  ConfigOptions options;
  options.names["n"] = [] { return "v"; };
  const Environment set("ACTION_TRIGGERS_TEST_SET", "e");
  const Config config = parse_config(R"({"brokers": {"b": {"broker_type": "mine", "params":
      {"{{ n }}": "{{ n }}", "deep": {"er": "{{ n }}"}, "list": ["{{ n }}", "${ACTION_TRIGGERS_TEST_SET}"]}}}})",
                                     registry, options);
  const auto* broker = config.find_as<GenericConfig>("b");
  ASSERT_NE(broker, nullptr);
  EXPECT_THAT(broker->params,
              ElementsAre(Pair("deep.er", "v"), Pair("list", R"(["{{ n }}","e"])"), Pair("{{ n }}", "v")));
}

TEST(SubstitutionTest, NumbersMayBeTextWhereverItComesFrom) {
  const Environment port("ACTION_TRIGGERS_TEST_SET", "12");
  EXPECT_EQ(memory_with(R"({"timeout_secs": "${ACTION_TRIGGERS_TEST_SET}"})").find("b")->timeout, 12s);
  EXPECT_EQ(memory_with(R"({"timeout_secs": "12", "max_in_flight": "7"})").find("b")->timeout, 12s);
  for (const char* wrong : {"12s", "", " 12", "0x12"}) {
    const std::string params =
        R"({"timeout_secs": ")" + std::string(wrong) + R"(", "max_in_flight": ")" + wrong + R"("})";
    EXPECT_THAT(problems_of([&] { return memory_with(params); }), SizeIs(2)) << params;
  }
}

}  // namespace
}  // namespace action_triggers
