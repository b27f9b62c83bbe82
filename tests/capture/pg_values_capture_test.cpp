// SPDX-License-Identifier: MIT
// What capture makes of PostgreSQL's values, and of tables that change under it: no statement fails, nothing is lost.
#include <bit>
#include <cmath>
#include <cstdint>
#include <random>

#include "capture/pg_capture_fixture.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::Lines;

/// Once with all columns, once with a list of them.
class PgValuesTest : public tests::PgCaptureTest, public ::testing::WithParamInterface<bool> {
 protected:
  /// As the payload has it, of a column of this type.
  std::string json_of(const std::string& type, const std::string& value) {
    sql("DROP TABLE IF EXISTS vals");
    sql("CREATE TABLE vals (id int PRIMARY KEY, v " + type + ")");
    install(GetParam() ? R"({"vals": {"table": "vals", "columns": ["id", "v"]}})" : R"({"vals": {"table": "vals"}})");
    sql("INSERT INTO vals VALUES (1, " + value + ")");
    const std::string text = body();
    const std::string before = R"(,"v":)";
    const std::size_t begin = text.find(before) + before.size();
    EXPECT_TRUE(nlohmann::json::accept(text)) << text;
    // The same value is none: whatever the type, it is compared without failing.
    sql("UPDATE vals SET v = " + value);
    EXPECT_THAT(events(), IsEmpty()) << value;
    sql("UPDATE vals SET v = NULL");
    EXPECT_THAT(events(), SizeIs(value == "NULL" ? 0 : 1)) << value;
    sql("DELETE FROM vals");
    events();
    return text.substr(begin, text.find(R"(},"context")") - begin);
  }
};

TEST_P(PgValuesTest, AreTheSameInJson) {
  EXPECT_EQ(json_of("bigint", "9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(json_of("bigint", "-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(json_of("numeric", "12345678901234567890.120"), "12345678901234567890.120");
  EXPECT_EQ(json_of("numeric", "'NaN'"), "\"NaN\"");
  EXPECT_EQ(json_of("numeric", "'-Infinity'"), "\"-Infinity\"");
  EXPECT_EQ(json_of("float8", "'NaN'"), "\"NaN\"");
  EXPECT_EQ(json_of("float8", "'Infinity'"), "\"Infinity\"");
  EXPECT_EQ(json_of("float8", "0.1"), "0.1");
  EXPECT_EQ(json_of("text", "NULL"), "null");
  EXPECT_EQ(json_of("boolean", "true"), "true");
  EXPECT_EQ(json_of("bytea", "'\\x00ff'"), "\"\\\\x00ff\"");
  EXPECT_EQ(json_of("json", R"('{"a": "\u0000", "n": 1.000}')"), R"({"a": "\u0000", "n": 1.000})");
  EXPECT_EQ(json_of("jsonb", R"('{"a":  1}')"), R"({"a": 1})");
  EXPECT_EQ(json_of("timestamptz", "'2026-11-26 16:00:00.123456+02'"), "\"2026-11-26T14:00:00.123456+00:00\"");
  EXPECT_EQ(json_of("timestamp", "'infinity'"), "\"infinity\"");
  EXPECT_EQ(json_of("date", "'2026-11-26'"), "\"2026-11-26\"");
  EXPECT_EQ(json_of("interval", "'1 day 2 hours'"), "\"P1DT2H\"");
  EXPECT_EQ(json_of("daterange", "'[2026-01-02,2026-02-03)'"), "\"[2026-01-02,2026-02-03)\"");
  EXPECT_EQ(json_of("int[]", "'{1,NULL,3}'"), "[1,null,3]");
  EXPECT_EQ(json_of("uuid", "'00000000-0000-0000-0000-000000000001'"), "\"00000000-0000-0000-0000-000000000001\"");
  EXPECT_EQ(json_of("xml", "'<a/>'"), "\"<a/>\"");
  EXPECT_EQ(json_of("point", "'(1,2)'"), "\"(1,2)\"");
  EXPECT_EQ(nlohmann::json::parse(json_of("text", "E'ü\"\\\\ \\n\\u2028\\U0001F600\\x01'")),
            "ü\"\\ \n\u2028\U0001F600\u0001");
}

TEST_P(PgValuesTest, SettingsOfTheSessionChangeNothing) {
  sql("SET extra_float_digits = -3; SET bytea_output = 'escape'; SET \"DateStyle\" = 'German'; SET \"TimeZone\" = "
      "'Asia/Tokyo';"
      "SET \"IntervalStyle\" = 'sql_standard'; SET standard_conforming_strings = off; SET check_function_bodies = off");
  EXPECT_EQ(json_of("float8", "1.0 / 3"), "0.3333333333333333");
  EXPECT_EQ(json_of("bytea", "'ab'"), "\"\\\\x6162\"");
  EXPECT_EQ(json_of("daterange", "daterange(make_date(2026, 1, 2), make_date(2026, 2, 3))"),
            "\"[2026-01-02,2026-02-03)\"");
  EXPECT_EQ(json_of("timestamptz", "to_timestamp(0)"), "\"1970-01-01T00:00:00+00:00\"");
  EXPECT_EQ(json_of("interval", "make_interval(days => 1)"), "\"P1D\"");
}

TEST_P(PgValuesTest, EveryDoubleComesBack) {
  sql("CREATE TABLE vals (id int PRIMARY KEY, v float8)");
  install(GetParam() ? R"({"vals": {"table": "vals", "columns": ["v"]}})" : R"({"vals": {"table": "vals"}})");
  std::mt19937_64 random(20261126);  // NOLINT: the same each time
  std::vector<double> numbers;
  std::string insert = "INSERT INTO vals SELECT row_number() OVER (), v FROM unnest('{";
  while (numbers.size() < 2000) {
    const auto number = std::bit_cast<double>(random());
    if (!std::isfinite(number)) continue;
    char text[40];
    std::snprintf(text, sizeof text, "%.17g", number);
    insert += (numbers.empty() ? "" : ",") + std::string(text);
    numbers.push_back(number);
  }
  sql(insert + "}'::float8[]) AS v");
  const auto bodies = sql.rows("SELECT convert_from(body, 'UTF8') FROM " + outbox() + " ORDER BY id");
  ASSERT_EQ(bodies.size(), numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_EQ(nlohmann::json::parse(bodies[i]).at("new").at("v").get<double>(), numbers[i]) << bodies[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Columns, PgValuesTest, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "Listed" : "All"; });

// --------------------------------------------------------------------------------------------------------- migrations

class PgMigrationTest : public tests::PgCaptureTest {
 protected:
  PgMigrationTest() { sql("CREATE TABLE orders (id int PRIMARY KEY, note text, total int, secret text)"); }
};

TEST_F(PgMigrationTest, AllColumnsAreThoseThatThereAre) {
  const std::string all = R"({"orders": {"table": "orders"}})";
  install(all);
  sql("INSERT INTO orders VALUES (1, 'a', 1, 's')");
  sql("ALTER TABLE orders DROP COLUMN note, ADD COLUMN more json DEFAULT '{}'");
  sql("UPDATE orders SET total = 2");
  sql("ALTER TABLE orders RENAME COLUMN total TO sum");
  sql("ALTER TABLE orders ALTER COLUMN sum TYPE text");
  sql("UPDATE orders SET sum = 'x'");
  EXPECT_THAT(
      events(),
      ElementsAre(
          R"(orders.insert 1: null -> {"id":1,"note":"a","total":1,"secret":"s"})",
          R"(orders.update 1: {"id":1,"total":1,"secret":"s","more":{}} -> {"id":1,"total":2,"secret":"s","more":{}})",
          R"(orders.update 1: {"id":1,"sum":"2","secret":"s","more":{}} -> {"id":1,"sum":"x","secret":"s","more":{}})"));
  EXPECT_THAT(check(all), IsEmpty());
}

TEST_F(PgMigrationTest, OfListedColumnsThoseThatAreLeft) {
  const std::string some = R"({"orders": {"table": "orders", "exclude": ["secret"]}})";
  install(some);
  sql("ALTER TABLE orders ADD COLUMN password text, DROP COLUMN note");
  sql("INSERT INTO orders VALUES (1, 1, 's', 'p')");
  sql("UPDATE orders SET password = 'q', secret = 't'");  // nothing that is captured
  sql("UPDATE orders SET total = 2");
  sql("ALTER TABLE orders RENAME COLUMN secret TO hidden");
  sql("ALTER TABLE orders RENAME COLUMN total TO sum");
  sql("DELETE FROM orders");
  EXPECT_THAT(events(), ElementsAre(R"(orders.insert 1: null -> {"id":1,"total":1})",
                                    R"(orders.update 1: {"id":1,"total":1} -> {"id":1,"total":2})",
                                    R"(orders.delete 1: {"id":1} -> null)"));
  EXPECT_THAT(check(some), ElementsAre(HasSubstr("orders: capture.orders: the table orders has no column 'secret'")));
  sql("ALTER TABLE orders RENAME COLUMN hidden TO secret");
  EXPECT_THAT(check(some), ElementsAre(HasSubstr("orders: It is stale")));
  EXPECT_THAT(install(some), ElementsAre("orders"));
  sql("INSERT INTO orders VALUES (1, 1, 's', 'p')");
  EXPECT_THAT(events(), ElementsAre(R"(orders.insert 1: null -> {"id":1,"sum":1,"password":"p"})"));
}

TEST_F(PgMigrationTest, AKeyThatIsRenamedIsMissed) {
  install(R"({"orders": {"table": "orders"}})");
  sql("ALTER TABLE orders RENAME COLUMN id TO number");
  sql("INSERT INTO orders VALUES (1)");
  sql("UPDATE orders SET total = 1");
  EXPECT_THAT(events(),
              ElementsAre(HasSubstr(R"(orders.insert -: null -> {"number":1)"), HasSubstr("orders.update -:")));
  EXPECT_THAT(check(R"({"orders": {"table": "orders"}})"), ElementsAre(HasSubstr("orders: It is stale")));
}

TEST_F(PgMigrationTest, ChangedColumnsAreAllOfThemThen) {
  install(R"({"orders": {"table": "orders", "old": "changed"}})");
  sql("INSERT INTO orders VALUES (1, 'a', 1, 's')");
  sql("ALTER TABLE orders DROP COLUMN note");
  events();
  sql("UPDATE orders SET total = 2");
  sql("UPDATE orders SET total = 2");
  EXPECT_THAT(events(),
              ElementsAre(R"(orders.update 1: {"id":1,"total":1,"secret":"s"} -> {"id":1,"total":2,"secret":"s"})"));
}

/// As in every session that was open before.
TEST_F(PgMigrationTest, ATypeThatChangesChangesNothingElse) {
  for (const char* const more : {"", R"(, "columns": ["id", "note"])", R"(, "old": "changed")", R"(, "old": "none")",
                                 R"(, "level": "statement")"}) {
    sql("DROP TABLE orders; CREATE TABLE orders (id int PRIMARY KEY, note varchar(5))");
    install(R"({"orders": {"table": "orders")" + std::string(more) + "}}");
    const auto change = [this, more] {
      sql("INSERT INTO orders VALUES (1, 'a')");
      sql("UPDATE orders SET note = 'b'");
      sql("UPDATE orders SET id = 2");
      sql("DELETE FROM orders");
      Lines found = events();
      if (std::string(more).find("changed") != std::string::npos) {  // all of it then, as docs/capture.md says
        for (std::string& line : found) line.erase(line.find(": "), line.find(" -> ") - line.find(": "));
      }
      return found;
    };
    const Lines before = change();
    ASSERT_THAT(before, SizeIs(5)) << more;
    for (const char* const migration : {"id TYPE bigint", "note TYPE text"}) {
      sql("ALTER TABLE orders ALTER " + std::string(migration));
      EXPECT_EQ(change(), before) << more << ' ' << migration;
    }
  }
}

TEST_F(PgMigrationTest, LargeRowsAreTheirKeyAfterwardsToo) {
  for (const char* const oversize : {"key_only", "without_old"}) {
    sql("DROP TABLE orders; CREATE TABLE orders (id int PRIMARY KEY, note text)");
    install(R"({"orders": {"table": "orders", "max_bytes": 1000, "oversize": ")" + std::string(oversize) + "\"}}");
    const auto change = [this] {
      sql("INSERT INTO orders VALUES (1, repeat('a', 2000))");
      sql("UPDATE orders SET note = repeat('b', 2000)");
      sql("DELETE FROM orders");
      return events();
    };
    const Lines before = change();
    const std::string old = std::string(oversize) == "key_only" ? R"({"id":1})" : "null";
    EXPECT_THAT(before, ElementsAre(R"(orders.insert 1: null -> {"id":1} oversize=true)",
                                    "orders.update 1: " + old + R"( -> {"id":1} oversize=true)",
                                    R"(orders.delete 1: {"id":1} -> null oversize=true)"));
    sql("ALTER TABLE orders ALTER id TYPE bigint");
    EXPECT_EQ(change(), before) << oversize;
  }
}

TEST_F(PgMigrationTest, APreparedStatementGoesOn) {
  install(R"({"orders": {"table": "orders", "columns": ["id", "note", "total"]}})");
  sql("PREPARE change AS UPDATE orders SET total = total + 1");
  sql("INSERT INTO orders VALUES (1, 'a', 1)");
  for (int i = 0; i < 7; ++i) sql("EXECUTE change");
  sql("ALTER TABLE orders DROP COLUMN note");
  sql("EXECUTE change");
  const Lines found = events();
  ASSERT_EQ(found.size(), 9U);
  EXPECT_EQ(found.back(), R"(orders.update 1: {"id":1,"total":8} -> {"id":1,"total":9})");
}

TEST_F(PgMigrationTest, WhatCannotBeSaidIsSaidToBeSo) {
  // A type whose conversion to JSON fails, as those of extensions may.
  sql("CREATE TYPE odd AS ENUM ('a')");
  sql("CREATE FUNCTION fail(odd) RETURNS json LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no \"json\" today''; END'");
  sql("CREATE CAST (odd AS json) WITH FUNCTION fail(odd)");
  sql("CREATE TABLE things (id int PRIMARY KEY, v odd, n int)");
  for (const char* const level : {"row", "statement"}) {
    sql("DELETE FROM things");
    events();
    install(R"({"things": {"table": "things", "level": ")" + std::string(level) + "\"}}");
    sql("INSERT INTO things VALUES (1, 'a', 1)");
    sql("UPDATE things SET n = 2");
    sql("DELETE FROM things");
    EXPECT_EQ(sql("SELECT count(*) FROM things"), "0");
    const Lines found = events();
    ASSERT_EQ(found.size(), 3U) << level;
    for (const std::string& line : found)
      EXPECT_THAT(line, HasSubstr(R"(: null -> null error="no \"json\" today")")) << level;
  }
}

TEST_F(PgMigrationTest, OfAStatementNothingIsLeftAndThatIsSaid) {
  const std::string section = R"({"orders": {"table": "orders", "level": "statement", "columns": ["id", "note"]}})";
  install(section);
  sql("ALTER TABLE orders DROP COLUMN note");
  sql("INSERT INTO orders VALUES (1), (2)");
  EXPECT_THAT(events(), ElementsAre(R"(orders.insert -: null -> null error="column n.note does not exist")"));
  EXPECT_EQ(sql("SELECT count(*) FROM orders"), "2");
  EXPECT_THAT(check(section), ElementsAre(HasSubstr("has no column 'note'")));
}

TEST_F(PgMigrationTest, AStatementThatIsCancelledIsCancelled) {
  sql("CREATE TYPE odd AS ENUM ('a')");
  sql("CREATE FUNCTION slow(odd) RETURNS json LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN null; END'");
  sql("CREATE CAST (odd AS json) WITH FUNCTION slow(odd)");
  sql("CREATE TABLE things (id int PRIMARY KEY, v odd)");
  install(R"({"things": {"table": "things"}})");
  sql("SET statement_timeout = '100ms'");
  EXPECT_THAT(error_of("INSERT INTO things VALUES (1, 'a')"), HasSubstr("statement timeout"));
  sql("RESET statement_timeout");
  EXPECT_THAT(events(), IsEmpty());
}

TEST_F(PgMigrationTest, ARenamedTableIsStillCaptured) {
  install(R"({"orders": {"table": "orders"}})");
  sql("ALTER TABLE orders RENAME TO orders_old");
  sql("INSERT INTO orders_old VALUES (1)");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.insert 1:")));
  EXPECT_THAT(check(R"({"orders": {"table": "orders"}})"),
              ElementsAre("orders: capture.orders: there is no table orders."));
  sql("CREATE TABLE orders (LIKE orders_old INCLUDING ALL)");
  install(R"({"orders": {"table": "orders", "event": "o.{op}"}})");  // another definition: the first one goes
  sql("INSERT INTO orders_old VALUES (2)");
  sql("INSERT INTO orders VALUES (3)");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("o.insert 3:")));
}

}  // namespace
}  // namespace action_triggers::detail
