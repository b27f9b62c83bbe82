// SPDX-License-Identifier: MIT
// Capture in SQLite, on real files: what becomes an event, in which words, and what never does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "capture/capture_work.hpp"
#include "capture/captured_events.hpp"
#include "databases/sqlite/sqlite_capture.hpp"
#include "databases/sqlite/sqlite_database.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using tests::Lines;

const std::string orders = R"({"orders": {"table": "orders"}})";

class SqliteCaptureTest : public ::testing::Test {
 protected:
  void execute(const std::string& sql) const { database_.application.execute(sql); }

  CaptureConfig captures(const std::string& section) const {
    return tests::captures_of(R"({"type": "sqlite", "path": ")" + database_.config.path + "\"}", section);
  }
  std::vector<std::string> install(const std::string& section = orders) const {
    const CaptureConfig config = captures(section);
    const auto database = open_sqlite_capture(database_.config);
    return CaptureWork(config, database_.config, *database).install();
  }
  std::vector<std::string> uninstall(const std::string& section = orders) const {
    const CaptureConfig config = captures(section);
    const auto database = open_sqlite_capture(database_.config);
    return CaptureWork(config, database_.config, *database).uninstall();
  }
  /// "orders: It is stale …"
  Lines check(const std::string& section = orders) const {
    const CaptureConfig config = captures(section);
    const auto database = open_sqlite_capture(database_.config);
    Lines lines;
    for (const CaptureFinding& finding : CaptureWork(config, database_.config, *database).check()) {
      for (const std::string& problem : finding.problems) lines.push_back(finding.capture + ": " + problem);
      for (const std::string& warning : finding.warnings) lines.push_back(finding.capture + " (warning): " + warning);
    }
    return lines;
  }

  /// What is in the outbox, which is empty afterwards.
  Lines events() const {
    sqlite3_stmt* statement = nullptr;
    const char* const sql = "SELECT target, key, body, content_type FROM action_triggers_outbox ORDER BY id";
    EXPECT_EQ(sqlite3_prepare_v2(database_.application.get(), sql, -1, &statement, nullptr), SQLITE_OK);
    Lines lines;
    while (sqlite3_step(statement) == SQLITE_ROW) {
      const auto text = [&](int column) {
        const auto* const bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
        return bytes == nullptr ? std::string("-")
                                : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
      };
      EXPECT_EQ(text(3), "application/json");
      lines.push_back(tests::line_of(text(0), text(1), text(2)));
    }
    sqlite3_finalize(statement);
    execute("DELETE FROM action_triggers_outbox");
    return lines;
  }
  /// The first event's payload as it is written.
  std::string body() const {
    std::string text = database_.application.text("SELECT body FROM action_triggers_outbox ORDER BY id LIMIT 1");
    execute("DELETE FROM action_triggers_outbox");
    return text;
  }

  const tests::SqliteDatabase database_;
};

/// With orders (id, note, total), and its capture.
class SqliteOrdersTest : public SqliteCaptureTest {
 protected:
  SqliteOrdersTest() {
    execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, total NUMERIC)");
    install();
  }
};

TEST_F(SqliteOrdersTest, EachChangeIsAnEvent) {
  execute("INSERT INTO orders VALUES (1, 'a', 9.5), (2, NULL, 3)");
  execute("UPDATE orders SET note = 'b' WHERE id = 1");
  execute("DELETE FROM orders");
  EXPECT_THAT(events(),
              ElementsAre(R"(orders.insert 1: null -> {"id":1,"note":"a","total":9.5})",
                          R"(orders.insert 2: null -> {"id":2,"note":null,"total":3})",
                          R"(orders.update 1: {"id":1,"note":"a","total":9.5} -> {"id":1,"note":"b","total":9.5})",
                          R"(orders.delete 1: {"id":1,"note":"b","total":9.5} -> null)",
                          R"(orders.delete 2: {"id":2,"note":null,"total":3} -> null)"));
}

TEST_F(SqliteOrdersTest, APayloadSaysItsTableAndOperation) {
  execute("INSERT INTO orders VALUES (1, 'a', 9.5)");
  EXPECT_EQ(body(),
            R"({"op":"insert","table":"orders","old":null,"new":{"id":1,"note":"a","total":9.5},"context":null})");
}

TEST_F(SqliteOrdersTest, WhatIsRolledBackWasNever) {
  execute("BEGIN; INSERT INTO orders (id) VALUES (1); ROLLBACK");
  EXPECT_THAT(events(), IsEmpty());
  execute(
      "BEGIN; INSERT INTO orders (id) VALUES (2); SAVEPOINT s; INSERT INTO orders (id) VALUES (3); ROLLBACK TO s;"
      "INSERT INTO orders (id) VALUES (4); COMMIT");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.insert 2:"), HasSubstr("orders.insert 4:")));
}

TEST_F(SqliteOrdersTest, AStatementThatFailsLeavesNothing) {
  execute("INSERT INTO orders (id) VALUES (1)");
  events();
  EXPECT_ANY_THROW(execute("INSERT INTO orders (id) VALUES (5), (1)"));
  EXPECT_THAT(events(), IsEmpty());
  EXPECT_ANY_THROW(execute("INSERT OR FAIL INTO orders (id) VALUES (6), (1)"));  // keeps the rows before
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.insert 6:")));
}

TEST_F(SqliteOrdersTest, AnUpdateThatChangesNothingIsNone) {
  execute("INSERT INTO orders VALUES (1, 'a', 1)");
  events();
  execute("UPDATE orders SET note = 'a', total = total, id = id");
  EXPECT_THAT(events(), IsEmpty());
  execute("UPDATE orders SET total = 1.0");  // NUMERIC: stored as 1
  EXPECT_THAT(events(), IsEmpty());
}

TEST_F(SqliteOrdersTest, AChangedKeyIsADeleteAndAnInsert) {
  execute("INSERT INTO orders VALUES (1, 'a', 1)");
  events();
  execute("UPDATE orders SET id = 7, note = 'b'");
  EXPECT_THAT(events(), ElementsAre(R"(orders.delete 1: {"id":1,"note":"a","total":1} -> null)",
                                    R"(orders.insert 7: null -> {"id":7,"note":"b","total":1})"));
}

TEST_F(SqliteOrdersTest, AnUpsertIsWhatItDoes) {
  const std::string upsert = "INSERT INTO orders VALUES (1, 'a', 1) ON CONFLICT (id) DO UPDATE SET note = note || 'b'";
  execute(upsert);
  execute(upsert);
  execute("INSERT INTO orders VALUES (1, 'c', 1) ON CONFLICT DO NOTHING");
  EXPECT_THAT(events(),
              ElementsAre(HasSubstr("orders.insert 1:"),
                          R"(orders.update 1: {"id":1,"note":"a","total":1} -> {"id":1,"note":"ab","total":1})"));
}

// ------------------------------------------------------------------------------------------------- conflict clauses

/// With rows that unique columns of all kinds keep apart; twice, since a pragma of the connection matters.
class SqliteReplaceTest : public SqliteCaptureTest, public ::testing::WithParamInterface<bool> {
 protected:
  SqliteReplaceTest() {
    execute(std::string("PRAGMA recursive_triggers = ") + (GetParam() ? "1" : "0"));
    execute(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT UNIQUE COLLATE NOCASE, city TEXT, house INT, "
        "UNIQUE (city, house))");
    execute("INSERT INTO people VALUES (1, 'a', 'x', 1), (2, 'b', 'x', 2), (3, 'c', 'x', 3), (4, NULL, NULL, 4)");
    install(people);
  }
  const std::string people = R"({"people": {"table": "people", "columns": ["id", "mail"]}})";
};

TEST_P(SqliteReplaceTest, AReplaceTellsOfEachRowThatItRemoves) {
  execute("REPLACE INTO people VALUES (1, 'A', 'y', 1)");
  EXPECT_THAT(events(), ElementsAre(R"(people.delete 1: {"id":1,"mail":"a"} -> null)",
                                    R"(people.insert 1: null -> {"id":1,"mail":"A"})"));
  // Another key, and all of them gone: mail of 1 (in another case), city and house of 2, and 3 itself.
  execute("INSERT OR REPLACE INTO people VALUES (3, 'a', 'x', 2)");
  Lines found = events();
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found.back(), R"(people.insert 3: null -> {"id":3,"mail":"a"})");
  found.pop_back();
  EXPECT_THAT(found, ::testing::UnorderedElementsAre(R"(people.delete 1: {"id":1,"mail":"A"} -> null)",
                                                     R"(people.delete 2: {"id":2,"mail":"b"} -> null)",
                                                     R"(people.delete 3: {"id":3,"mail":"c"} -> null)"));
  EXPECT_EQ(database_.application.text("SELECT group_concat(id) FROM (SELECT id FROM people ORDER BY id)"), "3,4");
}

TEST_P(SqliteReplaceTest, AnUpdateThatReplacesToo) {
  execute("UPDATE OR REPLACE people SET mail = 'B' WHERE id = 1");
  EXPECT_THAT(events(),
              ::testing::UnorderedElementsAre(R"(people.delete 2: {"id":2,"mail":"b"} -> null)",
                                              R"(people.update 1: {"id":1,"mail":"a"} -> {"id":1,"mail":"B"})"));
  execute("UPDATE OR REPLACE people SET id = 3 WHERE id = 1");
  EXPECT_THAT(events(), ::testing::UnorderedElementsAre(R"(people.delete 3: {"id":3,"mail":"c"} -> null)",
                                                        R"(people.delete 1: {"id":1,"mail":"B"} -> null)",
                                                        R"(people.insert 3: null -> {"id":3,"mail":"B"})"));
}

TEST_P(SqliteReplaceTest, ReplacingNothingIsAnInsert) {
  execute("REPLACE INTO people VALUES (9, NULL, NULL, 4)");  // NULLs are never the same
  execute("REPLACE INTO people (mail) VALUES ('z')");
  EXPECT_THAT(events(), ElementsAre(R"(people.insert 9: null -> {"id":9,"mail":null})",
                                    R"(people.insert 10: null -> {"id":10,"mail":"z"})"));
}

TEST_P(SqliteReplaceTest, WhatIsIgnoredIsForgotten) {
  execute("INSERT OR IGNORE INTO people VALUES (1, 'new', 'n', 1)");
  execute("UPDATE OR IGNORE people SET mail = 'b' WHERE id = 1");
  EXPECT_THAT(events(), IsEmpty());
  execute("INSERT INTO people VALUES (20, 't', 't', 20)");
  execute("UPDATE people SET mail = 'u' WHERE id = 20");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("people.insert 20:"), HasSubstr("people.update 20:")));
}

TEST_P(SqliteReplaceTest, AnUpsertRemovesNothing) {
  // Row 2 has the mail: the insert would conflict with two rows, and updates one.
  execute(
      "INSERT INTO people VALUES (1, 'b', 'q', 1) ON CONFLICT (id) DO UPDATE SET city = 'p' ON CONFLICT DO NOTHING");
  EXPECT_THAT(events(), IsEmpty());  // of the columns that are captured none has changed
  execute(
      "INSERT INTO people VALUES (1, 'b', 'q', 1) ON CONFLICT (id) DO UPDATE SET mail = 'n' ON CONFLICT DO NOTHING");
  EXPECT_THAT(events(), ElementsAre(R"(people.update 1: {"id":1,"mail":"a"} -> {"id":1,"mail":"n"})"));
}

INSTANTIATE_TEST_SUITE_P(RecursiveTriggers, SqliteReplaceTest, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "On" : "Off"; });

TEST_F(SqliteCaptureTest, AReplaceInATableWithoutRowid) {
  execute("CREATE TABLE pairs (a TEXT, b BLOB, v, PRIMARY KEY (a, b)) WITHOUT ROWID");
  install(R"({"pairs": {"table": "pairs"}})");
  execute("INSERT INTO pairs VALUES ('x', x'00ff', 1), ('y', x'', 2)");
  execute("REPLACE INTO pairs VALUES ('x', x'00ff', 3)");
  execute("UPDATE pairs SET v = 4 WHERE a = 'y'");
  EXPECT_THAT(events(), ElementsAre(R"(pairs.insert ["x","00FF"]: null -> {"a":"x","b":"00FF","v":1})",
                                    R"(pairs.insert ["y",""]: null -> {"a":"y","b":"","v":2})",
                                    R"(pairs.delete ["x","00FF"]: {"a":"x","b":"00FF","v":1} -> null)",
                                    R"(pairs.insert ["x","00FF"]: null -> {"a":"x","b":"00FF","v":3})",
                                    R"(pairs.update ["y",""]: {"a":"y","b":"","v":2} -> {"a":"y","b":"","v":4})"));
}

TEST_F(SqliteCaptureTest, AnIndexThatCannotBeFollowedIsSaid) {
  execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, done INT)");
  execute(
      "CREATE UNIQUE INDEX lower_note ON orders (lower(note)); CREATE UNIQUE INDEX open ON orders (note) WHERE done = "
      "0");
  install();
  EXPECT_THAT(check(),
              ElementsAre("orders (warning): What a REPLACE removes because of open, lower_note is captured only "
                          "with PRAGMA recursive_triggers."));
}

/// Before an INSERT without a rowid, SQLite says that it is -1.
TEST_F(SqliteOrdersTest, ARowWithTheNumberMinusOneIsReplacedLikeOthers) {
  execute("CREATE UNIQUE INDEX notes ON orders (note)");
  install();
  execute("INSERT INTO orders VALUES (-1, 'unknown', 0)");
  execute("INSERT INTO orders (note) VALUES ('a'), ('b')");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.insert -1:"), HasSubstr("orders.insert 0:"),
                                    HasSubstr("orders.insert 1:")));
  execute("REPLACE INTO orders VALUES (-1, 'nobody', 0)");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.delete -1:"), HasSubstr("orders.insert -1:")));
  execute("REPLACE INTO orders (note) VALUES ('nobody')");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.delete -1:"), HasSubstr("orders.insert 2:")));
}

TEST_F(SqliteOrdersTest, WhatATriggerInsertsInVainRemovesNothing) {
  execute(
      "CREATE TRIGGER theirs BEFORE INSERT ON orders BEGIN INSERT INTO orders VALUES (7, 'again', 0) ON CONFLICT DO "
      "NOTHING; END");
  execute("INSERT INTO orders VALUES (7, 'x', 0) ON CONFLICT DO NOTHING");
  events();
  execute("INSERT INTO orders VALUES (1, 'a', 0)");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.insert 1:")));
}

TEST_F(SqliteCaptureTest, AnUpdateThatReplacesWithoutNamingTheColumn) {
  execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, low TEXT AS (lower(note)) UNIQUE)");
  install();
  execute("INSERT INTO orders (note) VALUES ('A'), ('B'), ('C')");
  events();
  execute("UPDATE OR REPLACE orders SET note = 'b' WHERE id = 1");
  EXPECT_THAT(events(), ::testing::UnorderedElementsAre(HasSubstr("orders.delete 2:"), HasSubstr("orders.update 1:")));
  execute("UPDATE OR REPLACE orders SET rowid = 3 WHERE id = 1");
  EXPECT_THAT(events(), ::testing::UnorderedElementsAre(HasSubstr(R"(orders.delete 3: {"id":3,"note":"C")"),
                                                        HasSubstr("orders.delete 1:"), HasSubstr("orders.insert 3:")));
}

TEST_F(SqliteOrdersTest, NoConflictClauseLosesAnEvent) {
  for (const char* const clause : {"IGNORE", "REPLACE", "FAIL", "ABORT", "ROLLBACK"}) {
    execute("DELETE FROM orders");
    events();
    execute(std::string("INSERT OR ") + clause + " INTO orders (id) VALUES (1)");
    execute(std::string("UPDATE OR ") + clause + " orders SET note = 'x'");
    EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.insert 1:"), HasSubstr("orders.update 1:"))) << clause;
  }
}

// ----------------------------------------------------------------------------------------------------------- cascades

TEST_F(SqliteCaptureTest, CascadesAreCaptured) {
  execute("PRAGMA foreign_keys = 1");
  execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)");
  execute(
      "CREATE TABLE items (id INTEGER PRIMARY KEY, ordered INT REFERENCES orders ON DELETE CASCADE ON UPDATE CASCADE)");
  install(R"({"orders": {"table": "orders"}, "items": {"table": "items"}})");
  execute("INSERT INTO orders VALUES (1); INSERT INTO items VALUES (10, 1)");
  execute("UPDATE orders SET id = 2; DELETE FROM orders");
  EXPECT_THAT(events(),
              ::testing::UnorderedElementsAre(
                  R"(orders.insert 1: null -> {"id":1})", R"(items.insert 10: null -> {"id":10,"ordered":1})",
                  R"(orders.delete 1: {"id":1} -> null)", R"(orders.insert 2: null -> {"id":2})",
                  R"(items.update 10: {"id":10,"ordered":1} -> {"id":10,"ordered":2})",
                  R"(items.delete 10: {"id":10,"ordered":2} -> null)", R"(orders.delete 2: {"id":2} -> null)"));
}

TEST_F(SqliteOrdersTest, TriggersOfTheApplicationAreCapturedToo) {
  execute("CREATE TRIGGER theirs AFTER INSERT ON orders BEGIN UPDATE orders SET total = 5 WHERE id = NEW.id; END");
  execute("INSERT INTO orders VALUES (1, 'a', 1)");
  EXPECT_THAT(events(), ::testing::UnorderedElementsAre(
                            R"(orders.insert 1: null -> {"id":1,"note":"a","total":1})",
                            R"(orders.update 1: {"id":1,"note":"a","total":1} -> {"id":1,"note":"a","total":5})"));
}

// ------------------------------------------------------------------------------------------------------------- values

class SqliteValuesTest : public SqliteCaptureTest {
 protected:
  SqliteValuesTest() {
    execute("CREATE TABLE vals (id INTEGER PRIMARY KEY, v)");
    install(R"({"vals": {"table": "vals"}})");
  }
  /// As the payload has it.
  std::string json_of(const std::string& sql) {
    execute("INSERT INTO vals (v) VALUES (" + sql + ")");
    const std::string text = body();
    const std::string before = R"(,"v":)";
    const std::size_t begin = text.find(before) + before.size();
    EXPECT_TRUE(nlohmann::json::accept(text)) << text;
    return text.substr(begin, text.find(R"(},"context")") - begin);
  }
};

TEST_F(SqliteValuesTest, AreTheSameInJson) {
  EXPECT_EQ(json_of("9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(json_of("-9223372036854775807 - 1"), "-9223372036854775808");
  EXPECT_EQ(json_of("NULL"), "null");
  EXPECT_EQ(json_of("0.1"), "0.1");
  EXPECT_EQ(json_of("1.0"), "1.0");
  EXPECT_EQ(json_of("1e300"), "1.0e+300");
  EXPECT_EQ(json_of("1.0 / 3"), "0.33333333333333331");
  EXPECT_EQ(json_of("9e999"), "\"Infinity\"");
  EXPECT_EQ(json_of("-9e999"), "\"-Infinity\"");
  EXPECT_EQ(json_of("9e999 - 9e999"), "null");  // SQLite has no other NaN
  EXPECT_EQ(json_of("x'00ff'"), "\"00FF\"");
  EXPECT_EQ(json_of("x''"), "\"\"");
  EXPECT_EQ(json_of("''"), "\"\"");
  EXPECT_EQ(json_of("'12345678901234567890.10'"), "\"12345678901234567890.10\"");
  EXPECT_EQ(json_of("'{\"a\": 1}'"), R"("{\"a\": 1}")");
  EXPECT_EQ(nlohmann::json::parse(json_of("'ü\"\\ \n' || char(1, 8232, 128512)")), "ü\"\\ \n\u0001\u2028\U0001F600");
}

TEST_F(SqliteValuesTest, JsonOfAFunctionIsAStringLikeAnyOther) {
  EXPECT_EQ(json_of("json('[1]')"), R"("[1]")");
  EXPECT_EQ(json_of("json_quote('a')"), R"("\"a\"")");
  body();
  execute("UPDATE vals SET v = json_array(1, v) WHERE id = 1");
  EXPECT_THAT(body(), HasSubstr(R"("old":{"id":1,"v":"[1]"},"new":{"id":1,"v":"[1,\"[1]\"]"})"));
}

TEST_F(SqliteValuesTest, TextWithANulIsWhole) { EXPECT_EQ(json_of("'a' || char(0) || 'b'"), "\"a\\u0000b\""); }

/// The payloads of rows with these values.
std::vector<double> written(const tests::SqliteSession& session, const std::vector<double>& numbers) {
  sqlite3_stmt* insert = nullptr;
  sqlite3_prepare_v2(session.get(), "INSERT INTO vals (v) VALUES (?)", -1, &insert, nullptr);
  session.execute("BEGIN");
  for (const double number : numbers) {
    sqlite3_bind_double(insert, 1, number);
    EXPECT_EQ(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_reset(insert);
  }
  sqlite3_finalize(insert);
  session.execute("COMMIT");
  std::vector<double> found;
  for (const std::string& body : session.column("SELECT body FROM action_triggers_outbox ORDER BY id")) {
    found.push_back(nlohmann::json::parse(body).at("new").at("v").get<double>());
  }
  return found;
}

TEST_F(SqliteValuesTest, DoublesComeBack) {
  std::mt19937_64 random(20261126);  // NOLINT: the same each time
  std::uniform_real_distribution<double> exponents(-30, 30);
  std::uniform_real_distribution<double> digits(-1, 1);
  std::vector<double> numbers{0.1 + 0.2, 1e22, 1e23, 4503599627370497.5};
  while (numbers.size() < 5000) numbers.push_back(digits(random) * std::pow(10.0, exponents(random)));
  EXPECT_EQ(written(database_.application, numbers), numbers);
}

TEST_F(SqliteValuesTest, DoublesOfAnySizeComeBackButForTheLastBit) {
  std::mt19937_64 random(20261126);  // NOLINT: the same each time
  std::vector<double> numbers{std::numeric_limits<double>::max(), std::numeric_limits<double>::min()};
  while (numbers.size() < 2000) {
    const auto number = std::bit_cast<double>(random());
    if (std::isnormal(number)) numbers.push_back(number);
  }
  const std::vector<double> found = written(database_.application, numbers);
  ASSERT_EQ(found.size(), numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_LE(std::abs(found[i] - numbers[i]), std::abs(numbers[i]) * std::numeric_limits<double>::epsilon());
  }
}

TEST_F(SqliteValuesTest, AnotherTypeOrAnotherCaseIsAChange) {
  execute("CREATE TABLE words (id INTEGER PRIMARY KEY, w TEXT COLLATE NOCASE, any)");
  install(R"({"words": {"table": "words"}})");
  execute("INSERT INTO words VALUES (1, 'a', 1)");
  events();
  execute("UPDATE words SET w = 'A'");
  execute("UPDATE words SET any = 1.0");
  execute("UPDATE words SET any = '1.0'");
  execute("UPDATE words SET any = x'312E30'");
  EXPECT_THAT(events(),
              ElementsAre(R"(words.update 1: {"id":1,"w":"a","any":1} -> {"id":1,"w":"A","any":1})",
                          R"(words.update 1: {"id":1,"w":"A","any":1} -> {"id":1,"w":"A","any":1.0})",
                          R"(words.update 1: {"id":1,"w":"A","any":1.0} -> {"id":1,"w":"A","any":"1.0"})",
                          R"(words.update 1: {"id":1,"w":"A","any":"1.0"} -> {"id":1,"w":"A","any":"312E30"})"));
}

TEST_F(SqliteCaptureTest, GeneratedColumnsHaveTheirValues) {
  execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, n INT, twice INT AS (n * 2), thrice INT AS (n * 3) STORED)");
  install();
  execute("INSERT INTO orders (id, n) VALUES (1, 5); UPDATE orders SET n = 6");
  EXPECT_THAT(
      events(),
      ElementsAre(
          R"(orders.insert 1: null -> {"id":1,"n":5,"twice":10,"thrice":15})",
          R"(orders.update 1: {"id":1,"n":5,"twice":10,"thrice":15} -> {"id":1,"n":6,"twice":12,"thrice":18})"));
}

TEST_F(SqliteCaptureTest, ATableMayHaveManyColumns) {
  std::string columns;
  for (int i = 0; i < 600; ++i) columns += ", c" + std::to_string(i) + " DEFAULT 'x'";
  execute("CREATE TABLE orders (id INTEGER PRIMARY KEY" + columns + ")");
  install(R"({"orders": {"table": "orders", "old": "changed"}})");
  execute("INSERT INTO orders (id) VALUES (1); UPDATE orders SET c599 = 'y'");
  const Lines found = events();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_THAT(found.back(), HasSubstr(R"(orders.update 1: {"c599":"x"} -> {"id":1,"c0":"x")"));
}

// -------------------------------------------------------------------------------------------------------- choices

TEST_F(SqliteCaptureTest, ColumnsAreChosenOrLeftOut) {
  execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, password TEXT)");
  install(R"({"users": {"table": "users", "exclude": ["password"], "event": "user.{op}.v1"}})");
  execute("INSERT INTO users VALUES (1, 'a', 'secret'); UPDATE users SET password = 'other'");
  execute("UPDATE users SET name = 'b', password = 'third'; DELETE FROM users");
  EXPECT_THAT(events(), ElementsAre(R"(user.insert.v1 1: null -> {"id":1,"name":"a"} op=insert)",
                                    R"(user.update.v1 1: {"id":1,"name":"a"} -> {"id":1,"name":"b"} op=update)",
                                    R"(user.delete.v1 1: {"id":1,"name":"b"} -> null op=delete)"));
  EXPECT_EQ(database_.application.number("SELECT count(*) FROM action_triggers_replaced"), 0);
}

TEST_F(SqliteCaptureTest, OldIsAsMuchAsIsAskedFor) {
  execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, a, b)");
  install(R"({"orders": {"table": "orders", "old": "changed"}})");
  execute(
      "INSERT INTO orders VALUES (1, 1, 2); UPDATE orders SET a = NULL; UPDATE orders SET a = 3, b = 4; DELETE FROM "
      "orders");
  EXPECT_THAT(events(), ElementsAre(R"(orders.insert 1: null -> {"id":1,"a":1,"b":2})",
                                    R"(orders.update 1: {"a":1} -> {"id":1,"a":null,"b":2})",
                                    R"(orders.update 1: {"a":null,"b":2} -> {"id":1,"a":3,"b":4})",
                                    R"(orders.delete 1: {"id":1,"a":3,"b":4} -> null)"));
  install(R"({"orders": {"table": "orders", "old": "none"}})");
  execute("INSERT INTO orders VALUES (1, 1, 2); UPDATE orders SET a = 2; UPDATE orders SET id = 2; DELETE FROM orders");
  EXPECT_THAT(events(),
              ElementsAre(R"(orders.insert 1: null -> {"id":1,"a":1,"b":2})",
                          R"(orders.update 1: null -> {"id":1,"a":2,"b":2})", R"(orders.delete 1: null -> null)",
                          R"(orders.insert 2: null -> {"id":2,"a":2,"b":2})", R"(orders.delete 2: null -> null)"));
}

TEST_F(SqliteCaptureTest, OnlySomeOperations) {
  execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, a)");
  install(R"({"orders": {"table": "orders", "ops": ["update"]}})");
  execute("INSERT INTO orders VALUES (1, 1); UPDATE orders SET a = 2; UPDATE orders SET id = 2; DELETE FROM orders");
  EXPECT_THAT(events(),
              ElementsAre(HasSubstr("orders.update 1:"), HasSubstr("orders.delete 1:"), HasSubstr("orders.insert 2:")));
  install(R"({"orders": {"table": "orders", "ops": ["delete"]}})");
  execute(
      "INSERT INTO orders VALUES (1, 1); UPDATE orders SET a = 2; REPLACE INTO orders VALUES (1, 3); DELETE FROM "
      "orders");
  EXPECT_THAT(events(),
              ElementsAre(R"(orders.delete 1: {"id":1,"a":2} -> null)", R"(orders.delete 1: {"id":1,"a":3} -> null)"));
}

TEST_F(SqliteCaptureTest, AConditionChoosesRows) {
  execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT)");
  install(R"({"orders": {"table": "orders", "when": {"insert": "NEW.status <> 'draft' -- or so",
    "update": "NEW.status IS NOT OLD.status", "delete": "OLD.status = 'paid' OR 0"}}})");
  execute("INSERT INTO orders VALUES (1, 'draft'), (2, 'open')");
  execute("UPDATE orders SET status = 'paid' WHERE id = 2");
  execute("REPLACE INTO orders VALUES (1, 'draft')");
  execute("REPLACE INTO orders VALUES (2, 'draft')");
  execute("DELETE FROM orders");
  EXPECT_THAT(events(), ElementsAre(R"(orders.insert 2: null -> {"id":2,"status":"open"})",
                                    R"(orders.update 2: {"id":2,"status":"open"} -> {"id":2,"status":"paid"})",
                                    R"(orders.delete 2: {"id":2,"status":"paid"} -> null)"));
}

TEST_F(SqliteCaptureTest, KeysAreWhatIsChosen) {
  execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, place REAL)");
  install(R"({"orders": {"table": "orders", "key": ["customer"]}})");
  execute(
      "INSERT INTO orders VALUES (1, 'a', 1); UPDATE orders SET place = 2; UPDATE orders SET customer = 'b'; UPDATE "
      "orders SET customer = NULL");
  EXPECT_THAT(events(),
              ElementsAre(HasSubstr("orders.insert a:"), HasSubstr("orders.update a:"), HasSubstr("orders.delete a:"),
                          HasSubstr("orders.insert b:"), HasSubstr("orders.delete b:"), HasSubstr("orders.insert -:")));
  install(R"({"orders": {"table": "orders", "key": []}})");
  execute("UPDATE orders SET id = 5");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.update -:")));
  install(R"({"orders": {"table": "orders", "key": ["place", "customer"]}})");
  execute("UPDATE orders SET id = 6");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.update [2.0,null]:")));
}

TEST_F(SqliteCaptureTest, ALargeRowIsItsKey) {
  execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, a TEXT)");
  install(R"({"orders": {"table": "orders", "max_bytes": 1000}})");
  execute("INSERT INTO orders VALUES (1, printf('%.900c', 'x')); UPDATE orders SET a = a || 'y'; DELETE FROM orders");
  Lines found = events();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_THAT(found[0], HasSubstr("xxx"));
  EXPECT_EQ(found[1], R"(orders.update 1: {"id":1} -> {"id":1} oversize=true)");
  EXPECT_THAT(found[2], HasSubstr("xxx"));
  execute("INSERT INTO orders VALUES (2, printf('%.2000c', 'x')); REPLACE INTO orders VALUES (2, 'a')");
  EXPECT_THAT(events(),
              ElementsAre(R"(orders.insert 2: null -> {"id":2} oversize=true)", R"(orders.delete 2: {"id":2} -> null)",
                          R"(orders.insert 2: null -> {"id":2,"a":"a"})"));
  install(R"({"orders": {"table": "orders", "max_bytes": 1000, "oversize": "without_old"}})");
  execute("UPDATE orders SET a = printf('%.900c', 'x'); UPDATE orders SET a = a || 'z'; UPDATE orders SET a = a || a");
  found = events();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_THAT(found[1], HasSubstr("orders.update 2: null -> {\"id\":2,\"a\":\"xxx"));
  EXPECT_THAT(found[1], HasSubstr("oversize=true"));
  EXPECT_EQ(found[2], R"(orders.update 2: null -> {"id":2} oversize=true)");
}

// ------------------------------------------------------------------------------------------------- context and silence

TEST_F(SqliteOrdersTest, ATransactionMaySayWhoItIs) {
  execute(R"(BEGIN; UPDATE action_triggers_context SET context = '{"user": 7}'; INSERT INTO orders (id) VALUES (1);
    UPDATE action_triggers_context SET context = NULL; COMMIT; INSERT INTO orders (id) VALUES (2))");
  execute(R"(UPDATE action_triggers_context SET context = '{"user": '; INSERT INTO orders (id) VALUES (3))");
  execute(R"(UPDATE action_triggers_context SET context = x'ff00'; DELETE FROM orders WHERE id = 2)");
  execute("DELETE FROM action_triggers_context; UPDATE orders SET note = 'a' WHERE id = 1");
  const auto bodies = database_.application.column("SELECT body FROM action_triggers_outbox ORDER BY id");
  ASSERT_EQ(bodies.size(), 5U);
  EXPECT_THAT(bodies[0], HasSubstr(R"("context":{"user": 7}})"));
  EXPECT_THAT(bodies[1], HasSubstr(R"("context":null})"));
  EXPECT_THAT(bodies[2], HasSubstr(R"("context":"{\"user\": "})"));
  EXPECT_THAT(bodies[4], HasSubstr(R"("context":null})"));
}

TEST_F(SqliteOrdersTest, ATransactionMaySkipCapture) {
  execute(
      "BEGIN; UPDATE action_triggers_context SET skip = 1; INSERT INTO orders (id) VALUES (1); REPLACE INTO orders "
      "(id) "
      "VALUES (1); UPDATE orders SET id = 2; DELETE FROM orders; UPDATE action_triggers_context SET skip = 0; COMMIT");
  EXPECT_THAT(events(), IsEmpty());
  execute("BEGIN; UPDATE action_triggers_context SET skip = 1; ROLLBACK; INSERT INTO orders (id) VALUES (1)");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.insert 1:")));
}

// --------------------------------------------------------------------------------------------------------- migrations

TEST_F(SqliteOrdersTest, AnAddedColumnIsNotCapturedUntilItIsInstalledAgain) {
  execute("ALTER TABLE orders ADD COLUMN secret TEXT");
  execute("INSERT INTO orders VALUES (1, 'a', 1, 's')");
  EXPECT_THAT(events(), ElementsAre(R"(orders.insert 1: null -> {"id":1,"note":"a","total":1})"));
  EXPECT_THAT(check(), ElementsAre(HasSubstr("orders: It is stale")));
  EXPECT_THAT(install(), ElementsAre("orders"));
  EXPECT_THAT(check(), IsEmpty());
  execute("UPDATE orders SET secret = 't'");
  EXPECT_THAT(events(), ElementsAre(R"(orders.update 1: {"id":1,"note":"a","total":1,"secret":"s"} -> )"
                                    R"({"id":1,"note":"a","total":1,"secret":"t"})"));
}

TEST_F(SqliteOrdersTest, ARenamedColumnIsFollowed) {
  execute("ALTER TABLE orders RENAME COLUMN note TO remark");
  execute("INSERT INTO orders VALUES (1, 'a', 1)");
  EXPECT_THAT(events(), ElementsAre(R"(orders.insert 1: null -> {"id":1,"note":"a","total":1})"));
  EXPECT_THAT(check(), ElementsAre(HasSubstr("orders: It is stale")));
  install();
  execute("DELETE FROM orders");
  EXPECT_THAT(events(), ElementsAre(R"(orders.delete 1: {"id":1,"remark":"a","total":1} -> null)"));
}

TEST_F(SqliteOrdersTest, AColumnIsDroppedBetweenUninstallAndInstall) {
  EXPECT_ANY_THROW(execute("ALTER TABLE orders DROP COLUMN note"));  // SQLite's own refusal, which names the trigger
  EXPECT_THAT(uninstall(), ElementsAre("orders"));
  execute("ALTER TABLE orders DROP COLUMN note");
  install();
  execute("INSERT INTO orders VALUES (1, 2)");
  EXPECT_THAT(events(), ElementsAre(R"(orders.insert 1: null -> {"id":1,"total":2})"));
}

TEST_F(SqliteOrdersTest, InstallingAgainChangesNothing) {
  EXPECT_THAT(install(), IsEmpty());
  const CaptureConfig config = captures(orders);
  const auto database = open_sqlite_capture(database_.config);
  const std::string sql = CaptureWork(config, database_.config, *database).install_sql();
  execute(sql);
  execute(sql);
  execute("INSERT INTO orders (id) VALUES (1)");
  EXPECT_EQ(events().size(), 1U);
}

TEST_F(SqliteOrdersTest, AnotherDefinitionTakesThePlaceOfTheFirst) {
  EXPECT_THAT(install(R"({"orders": {"table": "orders", "event": "shop.{op}"}})"), ElementsAre("orders"));
  execute("INSERT INTO orders (id) VALUES (1)");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("shop.insert 1:")));
}

TEST_F(SqliteOrdersTest, UninstallLeavesNothing) {
  execute("CREATE TRIGGER theirs AFTER INSERT ON orders BEGIN SELECT 1; END");
  EXPECT_THAT(uninstall(), ElementsAre("orders"));
  EXPECT_EQ(database_.application.text("SELECT group_concat(name) FROM sqlite_master WHERE type = 'trigger'"),
            "theirs");
  EXPECT_EQ(database_.application.number("SELECT count(*) FROM sqlite_master WHERE name IN ('action_triggers_context', "
                                         "'action_triggers_replaced')"),
            0);
  EXPECT_THAT(uninstall(), IsEmpty());
  EXPECT_THAT(check(), ElementsAre("orders: It is not installed: 'capture install FILE' makes it."));
}

TEST_F(SqliteOrdersTest, CheckSaysWhatIsWrong) {
  EXPECT_THAT(check(), IsEmpty());
  EXPECT_THAT(
      check(R"({"other": {"table": "nothing"}})"),
      ElementsAre(
          "other: capture.other: there is no table nothing.",
          "orders: It is installed, and not in the configuration: 'capture uninstall FILE orders' removes it."));
  const std::string name =
      database_.application.text("SELECT name FROM sqlite_master WHERE name LIKE '_at_capture_orders_delete%'");
  execute("DROP TRIGGER " + name);
  EXPECT_THAT(check(), ElementsAre("orders: Some of its SQL triggers are missing: 'capture install FILE' makes them."));
  EXPECT_THAT(install(), ElementsAre("orders"));
  EXPECT_THAT(check(), IsEmpty());
}

// --------------------------------------------------------------------------------------------------------------- names

TEST_F(SqliteCaptureTest, NamesAreNeverSql) {
  execute(R"(CREATE TABLE "my ""t'; DROP TABLE x; --" ("i""d" INTEGER PRIMARY KEY, "a'b" TEXT, "NEW" TEXT, "@x@" TEXT,
    "select" TEXT, "back\slash" TEXT, "ü
    " TEXT, context TEXT, was TEXT, key TEXT))");
  install(R"({"odd": {"table": "\"my \"\"t'; DROP TABLE x; --\"", "event": "it's @table@ {op}", "old": "changed",
    "max_bytes": 1000}})");
  execute(R"(INSERT INTO "my ""t'; DROP TABLE x; --" VALUES (1, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'))");
  execute(R"(UPDATE "my ""t'; DROP TABLE x; --" SET "a'b" = 'A', was = 'W')");
  execute(R"(REPLACE INTO "my ""t'; DROP TABLE x; --" ("i""d") VALUES (1))");
  const Lines found = events();
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0],
            "it's @table@ insert 1: null -> "
            R"({"i\"d":1,"a'b":"a","NEW":"b","@x@":"c","select":"d","back\\slash":"e",)"
            R"("ü\n    ":"f","context":"g","was":"h","key":"i"})");
  EXPECT_THAT(found[1], HasSubstr(R"(update 1: {"a'b":"a","was":"h"} -> )"));
  EXPECT_THAT(found[2], HasSubstr("delete 1:"));
}

TEST_F(SqliteCaptureTest, WhatCannotBeCapturedIsRefused) {
  execute(
      "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT); CREATE TABLE log (line TEXT); CREATE VIEW seen AS "
      "SELECT 1 AS a");
  const auto refusal = [&](const std::string& section) {
    try {
      install(section);
    } catch (const StoreError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_EQ(refusal(R"({"orders": {"table": "orders", "columns": ["id", "nte"]}})"),
            "capture.orders: the table orders has no column 'nte', which 'columns' names. Did you mean 'note'?");
  EXPECT_EQ(refusal(R"({"orders": {"table": "order"}})"), "capture.orders: there is no table order.");
  EXPECT_THAT(refusal(R"({"log": {"table": "log"}})"), HasSubstr("has no primary key. Say with 'key'"));
  EXPECT_EQ(refusal(R"({"seen": {"table": "seen"}})"), "'seen' is a view: only tables can be captured.");
  EXPECT_THAT(refusal(R"({"orders": {"table": "orders", "exclude": ["id", "note"]}})"), HasSubstr("leaves no column"));
  execute("DROP TABLE action_triggers_outbox");
  EXPECT_THAT(refusal(orders), HasSubstr("There is no outbox 'action_triggers_outbox' in this database"));
  EXPECT_EQ(database_.application.number("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"), 0);
}

/// SQLite allows a trigger its JSON functions there from 3.41 on.
TEST_F(SqliteCaptureTest, ASchemaNeedNotBeTrusted) {
  constexpr int innocuous = 0x200000;
  execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT)");
  install();
  execute("PRAGMA trusted_schema = 0; PRAGMA case_sensitive_like = 1");
  const std::string insert = "INSERT INTO orders VALUES (1, 'a')";
  const auto flags =
      database_.application.number("SELECT max(flags) FROM pragma_function_list WHERE name = 'json_quote'");
  if ((flags & innocuous) == 0) {
    EXPECT_ANY_THROW(execute(insert));  // docs/capture.md says so
    execute("PRAGMA trusted_schema = 1");
  }
  execute(insert);
  EXPECT_EQ(events().size(), database_.application.number("SELECT count(*) FROM orders"));
}

TEST_F(SqliteCaptureTest, AReplaceInATableWithAHiddenRowid) {
  execute("CREATE TABLE words (w TEXT PRIMARY KEY COLLATE NOCASE, n INT UNIQUE, rowid TEXT)");
  install(R"({"words": {"table": "words", "columns": ["w", "n"]}})");
  execute("INSERT INTO words VALUES ('a', 1, 'x'), ('b', 2, 'y'), ('c', 3, 'z')");
  events();
  execute("REPLACE INTO words VALUES ('A', 2, 'x'); UPDATE OR REPLACE words SET n = 3 WHERE w = 'A'");
  EXPECT_THAT(events(), ::testing::UnorderedElementsAre(
                            R"(words.delete a: {"w":"a","n":1} -> null)", R"(words.delete b: {"w":"b","n":2} -> null)",
                            R"(words.insert A: null -> {"w":"A","n":2})", R"(words.delete c: {"w":"c","n":3} -> null)",
                            R"(words.update A: {"w":"A","n":2} -> {"w":"A","n":3})"));
}

TEST_F(SqliteCaptureTest, AnotherEncodingOfTheFileChangesNothing) {
  const tests::TemporaryFolder folder;
  const OutboxConfig config = tests::sqlite_config(folder.file("utf16.db"));
  const tests::SqliteSession session(config.path);
  session.execute("PRAGMA encoding = 'UTF-16'");
  session.execute(sqlite_schema(config) + "CREATE TABLE orders (id TEXT PRIMARY KEY)");
  const auto database = open_sqlite_capture(config);
  const CaptureConfig section = tests::captures_of(R"({"type": "sqlite", "path": ")" + config.path + "\"}", orders);
  CaptureWork(section, config, *database).install();
  session.execute("INSERT INTO orders VALUES ('ü')");
  EXPECT_EQ(tests::line_of(session.text("SELECT target FROM action_triggers_outbox"),
                           session.text("SELECT key FROM action_triggers_outbox"),
                           session.text("SELECT body FROM action_triggers_outbox")),
            R"(orders.insert ü: null -> {"id":"ü"})");
}

}  // namespace
}  // namespace action_triggers::detail
