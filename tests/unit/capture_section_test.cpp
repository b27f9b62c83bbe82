// SPDX-License-Identifier: MIT
// The `capture` section: what it becomes, and what is said of one that is wrong.
#include "capture/capture_section.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "capture/capture_config.hpp"
#include "capture/table_name.hpp"
#include "config/json_parser.hpp"
#include "outbox/outbox_config.hpp"
#include "unit/config_support.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

/// What reading one section gives, beside an outbox of this type.
struct Reading {
  std::vector<std::string> problems;  // pointer, text and hint
  std::vector<std::string> warnings;
  std::shared_ptr<const CaptureConfig> config;
};

Reading read(const std::string& section, OutboxType type = OutboxType::postgresql, bool has_outbox = true) {
  const std::string text = "{\"capture\": " + section + "}";
  const BrokerRegistry registry = BrokerRegistry::builtin();
  const ConfigOptions options;
  LoadContext context(text, registry, options);
  if (has_outbox) {
    auto outbox = std::make_shared<OutboxConfig>();
    outbox->type = type;
    outbox->schema = "shop";
    context.config.set_section<OutboxConfig>(std::move(outbox));
  }
  Node root = parse_document(text, context.positions, context.findings.problems);
  read_capture(context, root.members.at(0), "/capture");
  Reading reading;
  for (const ConfigProblem& one : context.findings.problems) {
    EXPECT_GE(one.line, 1U);
    EXPECT_GT(one.column, 1U);
    reading.problems.push_back(one.pointer + " " + one.text + (one.hint.empty() ? "" : " " + one.hint));
  }
  for (const ConfigProblem& one : context.findings.warnings) reading.warnings.push_back(one.pointer + " " + one.text);
  reading.config = context.config.shared_section<CaptureConfig>();
  return reading;
}

TableCapture capture_of(const std::string& section, OutboxType type = OutboxType::postgresql) {
  const Reading reading = read(section, type);
  EXPECT_THAT(reading.problems, IsEmpty());
  return reading.config == nullptr || reading.config->tables.empty() ? TableCapture() : reading.config->tables.front();
}

TEST(CaptureSectionTest, ASmallOneHasTheDefaults) {
  const TableCapture capture = capture_of(R"({"orders": {"table": "orders"}})");
  EXPECT_EQ(capture.name, "orders");
  EXPECT_EQ(capture.table, (TableName{"shop", "orders"}));
  EXPECT_EQ(capture.table_text, "orders");
  EXPECT_EQ(capture.event_of(CaptureOp::insert), "orders.insert");
  EXPECT_EQ(capture.event_of(CaptureOp::remove), "orders.delete");
  EXPECT_FALSE(capture.key);
  EXPECT_THAT(capture.ops, ElementsAre(CaptureOp::insert, CaptureOp::update, CaptureOp::remove));
  EXPECT_THAT(capture.columns, IsEmpty());
  EXPECT_THAT(capture.exclude, IsEmpty());
  EXPECT_EQ(capture.when_of(CaptureOp::update), "");
  EXPECT_EQ(capture.old, CaptureOld::all);
  EXPECT_EQ(capture.level, CaptureLevel::row);
  EXPECT_EQ(capture.truncate, CaptureTruncate::event);
  EXPECT_EQ(capture.max_bytes, 0U);
  EXPECT_FALSE(capture.replica);
}

TEST(CaptureSectionTest, EveryKeyIsRead) {
  const TableCapture capture = capture_of(R"({"o": {"table": "a.b", "event": "{op}.of.{op}", "key": ["x", "y"],
    "ops": ["delete", "update"], "columns": ["x", "z"], "when": {"update": "NEW.x > 1"}, "old": "changed",
    "truncate": "refuse", "max_bytes": 5000, "oversize": "without_old", "replica": true}})");
  EXPECT_EQ(capture.table, (TableName{"a", "b"}));
  EXPECT_EQ(capture.event_of(CaptureOp::truncate), "truncate.of.truncate");
  EXPECT_THAT(*capture.key, ElementsAre("x", "y"));
  EXPECT_THAT(capture.ops, ElementsAre(CaptureOp::update, CaptureOp::remove));
  EXPECT_THAT(capture.columns, ElementsAre("x", "z"));
  EXPECT_EQ(capture.when_of(CaptureOp::update), "NEW.x > 1");
  EXPECT_EQ(capture.when_of(CaptureOp::remove), "");
  EXPECT_EQ(capture.old, CaptureOld::changed);
  EXPECT_EQ(capture.truncate, CaptureTruncate::refuse);
  EXPECT_EQ(capture.max_bytes, 5000U);
  EXPECT_EQ(capture.oversize, CaptureOversize::without_old);
  EXPECT_TRUE(capture.replica);
  EXPECT_EQ(capture_of(R"({"o": {"table": "t", "level": "statement"}})").level, CaptureLevel::statement);
  EXPECT_THAT(capture_of(R"({"o": {"table": "t", "exclude": ["p"], "columns": ["*"]}})").exclude, ElementsAre("p"));
  EXPECT_THAT(*capture_of(R"({"o": {"table": "t", "key": []}})").key, IsEmpty());
  EXPECT_EQ(capture_of(R"({"o": {"table": "t", "when": "1 = 1"}})").when_of(CaptureOp::remove), "1 = 1");
  EXPECT_EQ(capture_of(R"({"o": {"table": "main.t"}})", OutboxType::sqlite).table, (TableName{"", "t"}));
}

TEST(CaptureSectionTest, NamesOfTables) {
  EXPECT_EQ(parse_table_name("Orders"), (TableName{"", "Orders"}));
  EXPECT_EQ(parse_table_name(R"("a.b"."c""d")"), (TableName{"a.b", "c\"d"}));
  for (const char* const wrong : {"", ".", "a.", ".a", "a.b.c", "\"a", "\"a\"b", "a\"b\"", "\"\""}) {
    EXPECT_EQ(parse_table_name(wrong), std::nullopt) << wrong;
  }
}

TEST(CaptureSectionTest, WordsOfSql) {
  EXPECT_TRUE(has_sql_word("NEW.a > Old.b", "old"));
  EXPECT_TRUE(has_sql_word("'it''s' = old.a", "old"));
  for (const char* const none : {"", "older.a", "_old", "a = 'old'", "\"old\" = 1", "told"}) {
    EXPECT_FALSE(has_sql_word(none, "old")) << none;
  }
}

TEST(CaptureSectionTest, TwoOfOneTableAreDoubted) {
  EXPECT_THAT(
      read(R"({"a": {"table": "t"}, "b": {"table": "shop.t"}})").warnings,
      ElementsAre("/capture/b The table of 'b' is also that of 'a': a change that both capture is two events."));
  EXPECT_THAT(read(R"({"a": {"table": "t", "ops": ["insert"]}, "b": {"table": "t", "ops": ["delete"]}})").warnings,
              IsEmpty());
  EXPECT_THAT(read(R"({"a": {"table": "t"}, "b": {"table": "T"}})").warnings, IsEmpty());
  EXPECT_EQ(read(R"({"a": {"table": "t"}, "b": {"table": "T"}})", OutboxType::sqlite).warnings.size(), 1U);
}

TEST(CaptureSectionTest, ItNeedsAnOutbox) {
  EXPECT_THAT(read(R"({"a": {"table": 5}})", OutboxType::sqlite, false).problems,
              ElementsAre("/capture 'capture' needs an 'outbox' section. It says where the events are written."));
  EXPECT_THAT(tests::problems_of([] { return parse_config(R"({"brokers": {}, "capture": {}})"); }),
              ElementsAre("'capture' needs an 'outbox' section."));
}

struct Case {
  const char* name;
  std::string entry;
  std::vector<std::string> problems;
  OutboxType type = OutboxType::postgresql;

  friend void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }
};

class CaptureProblemsTest : public ::testing::TestWithParam<Case> {};

TEST_P(CaptureProblemsTest, AreSaidWithTheirPlace) {
  EXPECT_THAT(read("{\"o\": " + GetParam().entry + "}", GetParam().type).problems,
              ElementsAreArray(GetParam().problems));
}

/// An entry with this in it.
std::string with(const std::string& more) { return R"({"table": "t", )" + more + "}"; }

const std::string no_name =
    "The field 'table' must be a table's name, or a schema's and a table's: orders, shop.orders. A name with a dot or "
    "a "
    "quote stands in double quotes, as in SQL.";

INSTANTIATE_TEST_SUITE_P(
    Malformed, CaptureProblemsTest,
    ::testing::Values(
        Case{"NotAnObject", "5", {"/capture/o The field 'o' must be an object."}},
        Case{"NothingInIt", "{}", {"/capture/o The field 'table' must be provided."}},
        Case{"UnknownKey",
             with(R"("colums": ["a"])"),
             {"/capture/o/colums Unknown field 'colums'. Did you mean 'columns'?"}},
        Case{"NoName", R"({"table": "a.b.c"})", {"/capture/o/table " + no_name}},
        Case{"ALongName",
             "{\"table\": \"" + std::string(64, 'a') + "\"}",
             {"/capture/o/table The field 'table' has a name of more than 63 bytes."}},
        Case{"TheOutboxItself",
             R"({"table": "shop.action_triggers_outbox"})",
             {"/capture/o/table The field 'table' must not be one of the outbox's own: every event would make "
              "another."}},
        Case{
            "TheOutboxInCapitals",
            R"({"table": "Action_Triggers_Outbox"})",
            {"/capture/o/table The field 'table' must not be one of the outbox's own: every event would make another."},
            OutboxType::sqlite},
        Case{"AnotherFile",
             R"({"table": "other.t"})",
             {"/capture/o/table The field 'table' must be a table of the outbox's own file. SQL triggers of SQLite "
              "reach no "
              "other."},
             OutboxType::sqlite},
        Case{"AnotherPlaceholder",
             with(R"("event": "o.{ops}")"),
             {"/capture/o/event The field 'event' knows no '{ops}'. {op} is 'insert', 'update', 'delete' or "
              "'truncate'."}},
        Case{"APattern",
             with(R"("event": "o.*")"),
             {"/capture/o/event The field 'event' must be a name, not a pattern: '*' and '#' are wildcards."}},
        Case{"AnotherOperation",
             with(R"("ops": ["insert", "updat"])"),
             {"/capture/o/ops There is no operation 'updat'. Did you mean 'update'?"}},
        Case{"AColumnTwice",
             with(R"("columns": ["a", "a"])"),
             {"/capture/o/columns The field 'columns' has 'a' twice."}},
        Case{"AllAndOne",
             with(R"("columns": ["*", "a"])"),
             {"/capture/o/columns The field 'columns' has '*' beside other names."}},
        Case{"ColumnsAndExclude",
             with(R"("columns": ["a"], "exclude": ["b"])"),
             {"/capture/o/exclude The field 'exclude' does not go with 'columns', which says what is left out."}},
        Case{"AnInsertHasNoOld",
             with(R"("when": "OLD.a = 1", "ops": ["insert", "update"])"),
             {R"(/capture/o/when A condition on an insert has no OLD. Give one for each operation: {"update": "…"}.)"}},
        Case{
            "ADeleteHasNoNew",
            with(R"("when": {"delete": "new.a = 1"})"),
            {R"(/capture/o/when/delete A condition on a delete has no NEW. Give one for each operation: {"update": "…"}.)"}},
        Case{"AConditionOfNothing",
             with(R"("when": {"insert": "true"}, "ops": ["update"])"),
             {"/capture/o/when/insert The field 'insert' is not one of 'ops'."}},
        Case{"AConditionOfAnotherName",
             with(R"("when": {"updates": "true"})"),
             {"/capture/o/when/updates Unknown field 'updates'. Did you mean 'update'?"}},
        Case{
            "AConditionOfStatements",
            with(R"("when": "true", "level": "statement")"),
            {R"(/capture/o/when The field 'when' does not go with "level": "statement". A trigger of a statement sees no pairs )"
             "of rows."}},
        Case{"AnotherOld",
             with(R"("old": "some")"),
             {"/capture/o/old The field 'old' must be one of 'all', 'changed', 'none'."}},
        Case{"TooFewBytes",
             with(R"("max_bytes": 10)"),
             {"/capture/o/max_bytes The field 'max_bytes' must be between 1000 and 1000000000, not 10."}},
        Case{"OversizeOfNothing",
             with(R"("oversize": "key_only")"),
             {"/capture/o/oversize The field 'oversize' goes with 'max_bytes' only."}},
        Case{"KeysOfPostgreSql",
             with(R"("level": "row", "truncate": "event", "replica": false)"),
             {"/capture/o/level The field 'level' goes with an outbox in PostgreSQL only.",
              "/capture/o/truncate The field 'truncate' goes with an outbox in PostgreSQL only.",
              "/capture/o/replica The field 'replica' goes with an outbox in PostgreSQL only."},
             OutboxType::sqlite}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(CaptureSectionTest, NamesOfCapturesArePlain) {
  const std::string text =
      " The name of a capture must be letters, digits and underscores, at most 32, and not begin with a digit.";
  EXPECT_THAT(read(R"({"a-b": {"table": "t"}})").problems, ElementsAre("/capture/a-b" + text));
  const std::string long_name(33, 'a');
  EXPECT_THAT(read("{\"" + long_name + R"(": {"table": "t"}})").problems, ElementsAre("/capture/" + long_name + text));
}

}  // namespace
}  // namespace action_triggers::detail
