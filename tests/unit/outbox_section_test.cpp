// SPDX-License-Identifier: MIT
// The `outbox` section: what it becomes, and what is said of one that is wrong.
#include "outbox/outbox_section.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "config/json_parser.hpp"
#include "unit/config_support.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

/// What reading one section gives, in a build that has these databases.
struct Reading {
  std::vector<std::string> problems;  // pointer, text and hint
  std::vector<std::string> warnings;
  Config config;
};

Reading read(const std::string& section, const BuiltDatabases& built = {.postgresql = true, .sqlite = true},
             const ConfigOptions& options = {}) {
  const std::string text = "{\"outbox\": " + section + "}";
  const BrokerRegistry registry = BrokerRegistry::builtin();
  LoadContext context(text, registry, options);
  Node root = parse_document(text, context.positions, context.findings.problems);
  read_outbox(context, root.members.at(0), "/outbox", built);
  Reading reading{.problems = {}, .warnings = {}, .config = context.config};
  for (const ConfigProblem& one : context.findings.problems) {
    EXPECT_EQ(one.line, 1U);
    EXPECT_GT(one.column, 1U);
    reading.problems.push_back(one.pointer + " " + one.text + (one.hint.empty() ? "" : " " + one.hint));
  }
  for (const ConfigProblem& one : context.findings.warnings) reading.warnings.push_back(one.pointer + " " + one.text);
  return reading;
}

OutboxConfig config_of(const std::string& section) {
  const Reading reading = read(section);
  EXPECT_THAT(reading.problems, IsEmpty());
  const auto* config = reading.config.section<OutboxConfig>();
  return config == nullptr ? OutboxConfig() : *config;
}

TEST(OutboxSectionTest, ASmallOneHasTheDefaults) {
  const OutboxConfig config = config_of(R"({"type": "postgresql", "conninfo": "host=db"})");
  EXPECT_EQ(config.type, OutboxType::postgresql);
  EXPECT_EQ(config.conninfo.reveal(), "host=db");
  EXPECT_EQ(config.schema, "public");
  EXPECT_EQ(config.table, "action_triggers_outbox");
  EXPECT_EQ(config.shards_table, "action_triggers_shards");
  EXPECT_EQ(config.dead_letters_table, "action_triggers_dead_letters");
  EXPECT_EQ(config.shards, 1);
  EXPECT_TRUE(config.relay);
  EXPECT_EQ(config.lease, 10s);
  EXPECT_EQ(config.batch, 1000U);
  EXPECT_EQ(config.poll_min, 20ms);
  EXPECT_EQ(config.poll_max, 1000ms);
  EXPECT_EQ(config.notify, OutboxNotify::off);
  EXPECT_EQ(config.max_attempts, 0U);
}

TEST(OutboxSectionTest, EveryKeyIsRead) {
  const OutboxConfig config = config_of(R"({"type": "postgresql", "conninfo": "host=db", "schema": "shop",
    "table": "box", "shards_table": "box_shards", "dead_letters_table": "box_dead", "shards": 4, "relay": false,
    "lease_secs": 30, "batch": 50, "poll_ms": [5, 500], "notify": "after_commit", "max_attempts": 7})");
  EXPECT_EQ(config.schema, "shop");
  EXPECT_EQ(config.table, "box");
  EXPECT_EQ(config.shards_table, "box_shards");
  EXPECT_EQ(config.dead_letters_table, "box_dead");
  EXPECT_EQ(config.shards, 4);
  EXPECT_FALSE(config.relay);
  EXPECT_EQ(config.lease, 30s);
  EXPECT_EQ(config.batch, 50U);
  EXPECT_EQ(config.poll_min, 5ms);
  EXPECT_EQ(config.poll_max, 500ms);
  EXPECT_EQ(config.notify, OutboxNotify::after_commit);
  EXPECT_EQ(config.max_attempts, 7U);

  const OutboxConfig file = config_of(R"({"type": "sqlite", "path": "shop.db"})");
  EXPECT_EQ(file.type, OutboxType::sqlite);
  EXPECT_EQ(file.path, "shop.db");
}

TEST(OutboxSectionTest, PlaceholdersAreSubstitutedAndTheirValuesAreNotShown) {
  const tests::Environment url("AT_TEST_URL", "postgresql://app:secret@db/shop");
  const tests::Environment poll("AT_TEST_POLL", "30");
  const OutboxConfig config =
      config_of(R"({"type": "postgresql", "conninfo": "${AT_TEST_URL}", "poll_ms": ["${AT_TEST_POLL}", 90]})");
  EXPECT_EQ(config.conninfo.reveal(), "postgresql://app:secret@db/shop");
  EXPECT_EQ(config.poll_min, 30ms);
  EXPECT_THAT(read(R"({"type": "postgresql", "conninfo": "host=db", "lease_secs": "${AT_TEST_URL}"})").problems,
              ElementsAre("/outbox/lease_secs The field 'lease_secs' must be an integer."));
}

struct Case {
  const char* name;
  std::string section;
  std::vector<std::string> problems;

  friend void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }
};

class OutboxProblemsTest : public ::testing::TestWithParam<Case> {};

TEST_P(OutboxProblemsTest, AreSaidWithTheirPlace) {
  EXPECT_THAT(read(GetParam().section).problems, ElementsAreArray(GetParam().problems));
}

/// A section of PostgreSQL with this in it.
std::string with(const std::string& more) { return R"({"type": "postgresql", "conninfo": "host=db", )" + more + "}"; }

const std::string names_are_plain = "must be letters, digits and underscores, and not begin with a digit.";
const std::string poll_is_a_pair =
    "/outbox/poll_ms The field 'poll_ms' must be a list of two integers, the shortest and the longest pause, from 1 to "
    "60000, such as [20, 1000].";

INSTANTIATE_TEST_SUITE_P(
    Malformed, OutboxProblemsTest,
    ::testing::Values(
        Case{"NotAnObject", "[]", {"/outbox The field 'outbox' must be an object."}},
        Case{"NothingInIt", "{}", {"/outbox The field 'type' must be provided. It is 'postgresql' or 'sqlite'."}},
        Case{"AnotherDatabase",
             R"({"type": "mysql"})",
             {"/outbox/type The field 'type' must be one of 'postgresql', 'sqlite'."}},
        Case{"NowhereToConnect", R"({"type": "postgresql"})", {"/outbox The field 'conninfo' must be provided."}},
        Case{"NoFile", R"({"type": "sqlite"})", {"/outbox The field 'path' must be provided."}},
        Case{"PathOfPostgreSql",
             with(R"("path": "shop.db")"),
             {R"(/outbox/path The field 'path' goes with "type": "sqlite" only.)"}},
        Case{"KeysOfPostgreSqlInSqlite",
             R"({"type": "sqlite", "path": "a", "conninfo": "c", "schema": "s", "shards": 2, "notify": "off"})",
             {R"(/outbox/conninfo The field 'conninfo' goes with "type": "postgresql" only.)",
              R"(/outbox/schema The field 'schema' goes with "type": "postgresql" only.)",
              R"(/outbox/shards The field 'shards' goes with "type": "postgresql" only.)",
              R"(/outbox/notify The field 'notify' goes with "type": "postgresql" only.)"}},
        Case{"UnknownKey", with(R"("shard": 2)"), {"/outbox/shard Unknown field 'shard'. Did you mean 'shards'?"}},
        Case{"ATableWithItsSchema",
             with(R"("table": "shop.outbox")"),
             {"/outbox/table The field 'table' " + names_are_plain + " A schema has a field of its own, 'schema'."}},
        Case{"ATableThatBeginsWithADigit",
             with(R"("table": "1st")"),
             {"/outbox/table The field 'table' " + names_are_plain}},
        Case{"ATableWithAQuote",
             with(R"("dead_letters_table": "a\"; drop")"),
             {"/outbox/dead_letters_table The field 'dead_letters_table' " + names_are_plain}},
        Case{"ALongName",
             with("\"table\": \"" + std::string(64, 'a') + "\""),
             {"/outbox/table The field 'table' must have at most 63 characters."}},
        Case{"ALongSchema",
             with("\"schema\": \"" + std::string(64, 'a') + "\""),
             {"/outbox/schema The field 'schema' must have at most 63 characters."}},
        Case{"OneTableForTwoThings",
             with(R"("shards_table": "action_triggers_outbox", "dead_letters_table": "action_triggers_outbox")"),
             {"/outbox/shards_table The field 'shards_table' must not be the same table as 'table'.",
              "/outbox/dead_letters_table The field 'dead_letters_table' must not be the same table as 'table'.",
              "/outbox/dead_letters_table The field 'dead_letters_table' must not be the same table as "
              "'shards_table'."}},
        Case{"NoShard",
             with(R"("shards": 0)"),
             {"/outbox/shards The field 'shards' must be between 1 and 1024, not 0."}},
        Case{"NoLease",
             with(R"("lease_secs": 0)"),
             {"/outbox/lease_secs The field 'lease_secs' must be between 1 and 3600, not 0."}},
        Case{
            "NoBatch", with(R"("batch": 0)"), {"/outbox/batch The field 'batch' must be between 1 and 100000, not 0."}},
        Case{"FewerAttemptsThanNone",
             with(R"("max_attempts": -1)"),
             {"/outbox/max_attempts The field 'max_attempts' must be between 0 and 65535, not -1."}},
        Case{"APollThatIsANumber", with(R"("poll_ms": 20)"), {poll_is_a_pair}},
        Case{"APollOfThree", with(R"("poll_ms": [1, 2, 3])"), {poll_is_a_pair}},
        Case{"APollTheWrongWayRound", with(R"("poll_ms": [100, 20])"), {poll_is_a_pair}},
        Case{"APollThatIsTooLong", with(R"("poll_ms": [100, 60001])"), {poll_is_a_pair}},
        Case{"AnotherWayToNotify",
             with(R"("notify": "in_transaction")"),
             {"/outbox/notify The field 'notify' must be one of 'off', 'after_commit'."}},
        Case{"RelayIsNoBoolean", with(R"("relay": "no")"), {"/outbox/relay The field 'relay' must be true or false."}}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(OutboxSectionTest, ATypeThatWasNotBuiltSaysHowToGetIt) {
  const std::string postgresql = R"({"type": "postgresql", "conninfo": "host=db"})";
  const std::string sqlite = R"({"type": "sqlite", "path": "shop.db"})";
  EXPECT_THAT(read(postgresql, {.postgresql = false, .sqlite = true}).problems,
              ElementsAre("/outbox/type This build has no outbox in PostgreSQL. Build with "
                          "-DACTION_TRIGGERS_WITH_POSTGRESQL=ON, which needs libpq."));
  EXPECT_THAT(read(sqlite, {.postgresql = true, .sqlite = false}).problems,
              ElementsAre("/outbox/type This build has no outbox in SQLite. Build with "
                          "-DACTION_TRIGGERS_WITH_SQLITE=ON, which needs libsqlite3."));

  const Reading of_another_program = read(postgresql, {}, {.resolvers = {}, .names = {}, .allow_unknown = true});
  EXPECT_THAT(of_another_program.problems, IsEmpty());
  EXPECT_THAT(of_another_program.warnings,
              ElementsAre("/outbox/type This build has no outbox in PostgreSQL. Build with "
                          "-DACTION_TRIGGERS_WITH_POSTGRESQL=ON, which needs libpq."));
}

TEST(OutboxSectionTest, AFileMayHaveOne) {
  // As any build reads it: null is no section.
  const Config config = parse_config(R"({"brokers": {}, "outbox": null})");
  EXPECT_EQ(config.section<OutboxConfig>(), nullptr);
}

}  // namespace
}  // namespace action_triggers::detail
