// SPDX-License-Identifier: MIT
// Capture in PostgreSQL, on a real server: what becomes an event, whoever writes and however.
#include <algorithm>
#include <ostream>

#include "capture/pg_capture_fixture.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::Lines;

const std::string orders = R"({"orders": {"table": "orders"}})";

/// With orders (id, note, total), and its capture: once with all columns, whose events follow the table, and once with
/// the same ones listed; each by row and by statement.
struct Kind {
  const char* name;
  std::string more;

  friend void PrintTo(const Kind& value, std::ostream* out) { *out << value.name; }
};

class PgOrdersTest : public tests::PgCaptureTest, public ::testing::WithParamInterface<Kind> {
 protected:
  PgOrdersTest() {
    sql("CREATE TABLE orders (id bigint PRIMARY KEY, note text, total numeric)");
    install(section);
  }
  const std::string section = R"({"orders": {"table": "orders")" + GetParam().more + "}}";
};

TEST_P(PgOrdersTest, EachChangeIsAnEvent) {
  sql("INSERT INTO orders VALUES (1, 'a', 9.50), (2, NULL, 3)");
  sql("UPDATE orders SET note = 'b' WHERE id = 1");
  sql("DELETE FROM orders");
  EXPECT_THAT(events(),
              ElementsAre(R"(orders.insert 1: null -> {"id":1,"note":"a","total":9.5})",
                          R"(orders.insert 2: null -> {"id":2,"note":null,"total":3})",
                          R"(orders.update 1: {"id":1,"note":"a","total":9.5} -> {"id":1,"note":"b","total":9.5})",
                          ::testing::AnyOf(HasSubstr("orders.delete 1:"), HasSubstr("orders.delete 2:")),
                          ::testing::AnyOf(HasSubstr("orders.delete 1:"), HasSubstr("orders.delete 2:"))));
}

TEST_P(PgOrdersTest, APayloadSaysItsTableAndOperation) {
  sql("INSERT INTO orders VALUES (1, 'a', 9.50)");
  EXPECT_EQ(body(),
            R"({"op":"insert","table":"orders","old":null,"new":{"id":1,"note":"a","total":9.50},"context":null})");
}

TEST_P(PgOrdersTest, WhatIsRolledBackWasNever) {
  sql("BEGIN; INSERT INTO orders VALUES (1); ROLLBACK");
  EXPECT_THAT(events(), IsEmpty());
  sql("BEGIN; INSERT INTO orders VALUES (2); SAVEPOINT s; INSERT INTO orders VALUES (3); ROLLBACK TO s;"
      "INSERT INTO orders VALUES (4); COMMIT");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.insert 2:"), HasSubstr("orders.insert 4:")));
  EXPECT_NE(error_of("INSERT INTO orders VALUES (5), (2)"), "none");
  EXPECT_THAT(events(), IsEmpty());
}

TEST_P(PgOrdersTest, AnUpdateThatChangesNothingIsNone) {
  sql("INSERT INTO orders VALUES (1, 'a', 1)");
  events();
  sql("UPDATE orders SET note = 'a', total = total, id = id");
  EXPECT_THAT(events(), IsEmpty());
  sql("UPDATE orders SET total = 1.0");  // equal to 1, and not the same
  EXPECT_THAT(events(), SizeIs(1));
}

TEST_P(PgOrdersTest, AChangedKeyIsADeleteAndAnInsert) {
  sql("INSERT INTO orders VALUES (1, 'a', 1)");
  events();
  sql("UPDATE orders SET id = 7, note = 'b'");
  EXPECT_THAT(events(), ElementsAre(R"(orders.delete 1: {"id":1,"note":"a","total":1} -> null)",
                                    R"(orders.insert 7: null -> {"id":7,"note":"b","total":1})"));
}

TEST_P(PgOrdersTest, AnUpsertIsWhatItDoes) {
  const std::string upsert =
      "INSERT INTO orders VALUES (1, 'a', 1) ON CONFLICT (id) DO UPDATE SET note = orders.note || 'b'";
  sql(upsert);
  sql(upsert);
  sql("INSERT INTO orders VALUES (1, 'c', 1) ON CONFLICT DO NOTHING");
  EXPECT_THAT(events(),
              ElementsAre(HasSubstr("orders.insert 1:"),
                          R"(orders.update 1: {"id":1,"note":"a","total":1} -> {"id":1,"note":"ab","total":1})"));
}

TEST_P(PgOrdersTest, AMergeIsWhatItDoes) {
  if (std::stoi(sql("SHOW server_version_num")) < 150000) GTEST_SKIP() << "MERGE came with PostgreSQL 15";
  sql("INSERT INTO orders VALUES (1, 'a', 1), (2, 'b', 1)");
  events();
  sql("MERGE INTO orders USING (VALUES (1), (2), (3)) AS s (id) ON s.id = orders.id WHEN MATCHED AND s.id = 1 THEN "
      "DELETE "
      "WHEN MATCHED THEN UPDATE SET note = 'm' WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'n', 2)");
  Lines found = events();
  std::sort(found.begin(), found.end());
  EXPECT_THAT(found, ElementsAre(R"(orders.delete 1: {"id":1,"note":"a","total":1} -> null)",
                                 R"(orders.insert 3: null -> {"id":3,"note":"n","total":2})",
                                 R"(orders.update 2: {"id":2,"note":"b","total":1} -> {"id":2,"note":"m","total":1})"));
}

TEST_P(PgOrdersTest, CopyIsCaptured) {
  sql("INSERT INTO orders SELECT n, 'x', n FROM generate_series(1, 3) AS n");
  EXPECT_THAT(events(), SizeIs(3));
  PGconn* const connection = sql.get();
  PQclear(PQexec(connection, "COPY orders FROM STDIN"));
  const std::string lines = "10\ta\t1\n11\t\\N\t2.50\n";
  ASSERT_EQ(PQputCopyData(connection, lines.data(), static_cast<int>(lines.size())), 1);
  ASSERT_EQ(PQputCopyEnd(connection, nullptr), 1);
  while (PGresult* const result = PQgetResult(connection)) PQclear(result);
  EXPECT_THAT(events(), ElementsAre(R"(orders.insert 10: null -> {"id":10,"note":"a","total":1})",
                                    R"(orders.insert 11: null -> {"id":11,"note":null,"total":2.5})"));
}

TEST_P(PgOrdersTest, ATruncateIsOneEvent) {
  sql("INSERT INTO orders VALUES (1), (2)");
  events();
  sql("TRUNCATE orders");
  EXPECT_THAT(events(), ElementsAre("orders.truncate -: null -> null"));
}

TEST_P(PgOrdersTest, ASessionMaySayWhoItIs) {
  sql("SET action_triggers.context = '{\"user\": 7}'");
  sql("INSERT INTO orders VALUES (1)");
  sql("SET action_triggers.context = '{\"user\": '");
  sql("UPDATE orders SET note = 'a'");
  sql("BEGIN; SET LOCAL action_triggers.context = 'batch'; UPDATE orders SET note = 'b'; COMMIT");
  sql("RESET action_triggers.context");
  sql("DELETE FROM orders");
  sql("SET action_triggers.context = 'truncating'; TRUNCATE orders");
  EXPECT_THAT(events(), ElementsAre(HasSubstr(R"(context={"user":7})"), HasSubstr(R"(context="{\"user\": ")"),
                                    HasSubstr(R"(context="batch")"), ::testing::Not(HasSubstr("context")),
                                    HasSubstr("truncating")));
}

TEST_P(PgOrdersTest, ASessionMaySkipCapture) {
  sql("BEGIN; SET LOCAL action_triggers.skip = '1'; INSERT INTO orders VALUES (1); UPDATE orders SET id = 2;"
      "DELETE FROM orders; TRUNCATE orders; COMMIT");
  EXPECT_THAT(events(), IsEmpty());
  sql("INSERT INTO orders VALUES (1)");  // the setting is '' now, and not absent
  EXPECT_THAT(events(), SizeIs(1));
}

TEST_P(PgOrdersTest, InstallingAgainChangesNothing) {
  EXPECT_THAT(check(section), IsEmpty());
  EXPECT_THAT(install(section), IsEmpty());
  const CaptureConfig all = captures(section);
  const auto database = open_pg_capture(config);
  const std::string text = CaptureWork(all, config, *database, {"orders"}).install_sql();
  sql(text);
  sql(text);
  sql("INSERT INTO orders VALUES (1)");
  EXPECT_THAT(events(), SizeIs(1));
  EXPECT_THAT(check(section), IsEmpty());
}

TEST_P(PgOrdersTest, UninstallLeavesNothing) {
  EXPECT_THAT(uninstall(section), ElementsAre("orders"));
  sql("INSERT INTO orders VALUES (1)");
  EXPECT_THAT(events(), IsEmpty());
  EXPECT_EQ(sql("SELECT count(*) FROM pg_proc WHERE pronamespace = '" + config.schema +
                "'::regnamespace AND "
                "prorettype = 'trigger'::regtype"),
            "0");
  EXPECT_THAT(check(section), ElementsAre("orders: It is not installed: 'capture install FILE' makes it."));
}

TEST_P(PgOrdersTest, OldIsAsMuchAsIsAskedFor) {
  const auto with_old = [&](const std::string& old) {
    return R"({"orders": {"table": "orders", "old": ")" + old + "\"" + GetParam().more + "}}";
  };
  install(with_old("changed"));
  sql("INSERT INTO orders VALUES (1, 'a', 2)");
  sql("UPDATE orders SET note = NULL");
  sql("UPDATE orders SET note = 'b', total = 2.0");
  sql("UPDATE orders SET id = 2, note = 'c'");
  sql("DELETE FROM orders");
  EXPECT_THAT(events(), ElementsAre(R"(orders.insert 1: null -> {"id":1,"note":"a","total":2})",
                                    R"(orders.update 1: {"note":"a"} -> {"id":1,"note":null,"total":2})",
                                    R"(orders.update 1: {"note":null,"total":2} -> {"id":1,"note":"b","total":2.0})",
                                    R"(orders.delete 1: {"id":1,"note":"b","total":2.0} -> null)",
                                    R"(orders.insert 2: null -> {"id":2,"note":"c","total":2.0})",
                                    R"(orders.delete 2: {"id":2,"note":"c","total":2.0} -> null)"));
  install(with_old("none"));
  sql("INSERT INTO orders VALUES (1, 'a', 2)");
  sql("UPDATE orders SET note = NULL");
  sql("UPDATE orders SET note = NULL");
  sql("UPDATE orders SET id = 2");
  sql("DELETE FROM orders");
  EXPECT_THAT(
      events(),
      ElementsAre(R"(orders.insert 1: null -> {"id":1,"note":"a","total":2})",
                  R"(orders.update 1: null -> {"id":1,"note":null,"total":2})", R"(orders.delete 1: null -> null)",
                  R"(orders.insert 2: null -> {"id":2,"note":null,"total":2})", R"(orders.delete 2: null -> null)"));
}

TEST_P(PgOrdersTest, ALargeRowIsItsKey) {
  install(R"({"orders": {"table": "orders", "max_bytes": 1000)" + GetParam().more + "}}");
  sql("INSERT INTO orders VALUES (1, repeat('x', 900))");
  sql("UPDATE orders SET note = note || 'y'");
  sql("DELETE FROM orders");
  sql("INSERT INTO orders VALUES (2, repeat('x', 2000))");
  Lines found = events();
  ASSERT_EQ(found.size(), 4U);
  EXPECT_THAT(found[0], HasSubstr("xxx"));
  EXPECT_EQ(found[1], R"(orders.update 1: {"id":1} -> {"id":1} oversize=true)");
  EXPECT_THAT(found[2], HasSubstr("xxx"));
  EXPECT_EQ(found[3], R"(orders.insert 2: null -> {"id":2} oversize=true)");
  install(R"({"orders": {"table": "orders", "max_bytes": 1000, "oversize": "without_old")" + GetParam().more + "}}");
  sql("UPDATE orders SET note = repeat('x', 900)");
  sql("UPDATE orders SET note = note || 'z'");
  sql("UPDATE orders SET note = note || note");
  found = events();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_THAT(found[1], HasSubstr("orders.update 2: null -> {\"id\":2,\"note\":\"xxx"));
  EXPECT_THAT(found[1], HasSubstr("oversize=true"));
  EXPECT_EQ(found[2], R"(orders.update 2: null -> {"id":2} oversize=true)");
}

INSTANTIATE_TEST_SUITE_P(Kinds, PgOrdersTest,
                         ::testing::Values(Kind{"Rows", ""},
                                           Kind{"RowsOfListedColumns", R"(, "columns": ["id", "note", "total"])"},
                                           Kind{"Statements", R"(, "level": "statement")"},
                                           Kind{"StatementsOfListedColumns",
                                                R"(, "level": "statement", "columns": ["id", "note", "total"])"}),
                         [](const auto& one) { return std::string(one.param.name); });

class PgTablesTest : public tests::PgCaptureTest {};

// ------------------------------------------------------------------------------------------------- rows and statements

TEST_F(PgTablesTest, StatementsCaptureWhatRowsCapture) {
  sql("CREATE TABLE a (id int PRIMARY KEY, n int, j json); CREATE TABLE b (LIKE a INCLUDING ALL)");
  install(
      R"({"rows": {"table": "a", "event": "t.{op}"}, "statements": {"table": "b", "event": "t.{op}", "level": "statement"}})");
  const std::vector<std::string> statements{
      "INSERT INTO @ SELECT n, n % 3, json_build_object('n', n) FROM generate_series(1, 20) AS n",
      "UPDATE @ SET n = n + 1 WHERE id % 2 = 0",
      "UPDATE @ SET n = 1",
      "UPDATE @ SET id = id + 100, n = 5 WHERE id < 10",
      "INSERT INTO @ SELECT n, 0, '{}' FROM generate_series(5, 25) AS n ON CONFLICT (id) DO UPDATE SET n = 9",
      "WITH gone AS (DELETE FROM @ WHERE id > 100 RETURNING *) INSERT INTO @ SELECT id + 900, n, j FROM gone",
      "DELETE FROM @ WHERE n = 9",
      "UPDATE @ SET j = '{ }' WHERE j::text = '{}'",
      "DELETE FROM @ WHERE false",
      "TRUNCATE @"};
  for (const std::string& statement : statements) {
    std::vector<Lines> found;
    for (const char* const table : {"a", "b"}) {
      std::string text = statement;
      for (std::size_t at = text.find('@'); at != std::string::npos; at = text.find('@')) text.replace(at, 1, table);
      sql(text);
      found.push_back(events());
      std::sort(found.back().begin(), found.back().end());
    }
    EXPECT_EQ(found[0], found[1]) << statement;
  }
}

// ------------------------------------------------------------------------------------------- tables of many tables

TEST_F(PgTablesTest, CascadesAreCaptured) {
  sql("CREATE TABLE orders (id int PRIMARY KEY)");
  sql("CREATE TABLE items (id int PRIMARY KEY, ordered int REFERENCES orders ON DELETE CASCADE ON UPDATE CASCADE)");
  install(R"({"orders": {"table": "orders"}, "items": {"table": "items"}})");
  sql("INSERT INTO orders VALUES (1)");
  sql("INSERT INTO items VALUES (10, 1)");
  sql("UPDATE orders SET id = 2");
  sql("DELETE FROM orders");
  sql("TRUNCATE orders CASCADE");
  EXPECT_THAT(events(), ::testing::UnorderedElementsAre(
                            R"(orders.insert 1: null -> {"id":1})", R"(items.insert 10: null -> {"id":10,"ordered":1})",
                            R"(orders.delete 1: {"id":1} -> null)", R"(orders.insert 2: null -> {"id":2})",
                            R"(items.update 10: {"id":10,"ordered":1} -> {"id":10,"ordered":2})",
                            R"(items.delete 10: {"id":10,"ordered":2} -> null)", R"(orders.delete 2: {"id":2} -> null)",
                            "orders.truncate -: null -> null", "items.truncate -: null -> null"));
}

TEST_F(PgTablesTest, EventsHaveTheOrderOfChangesBeforeTriggersOfTheApplication) {
  sql("CREATE TABLE orders (id int PRIMARY KEY, n int)");
  sql("CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN UPDATE " +
      config.schema + ".orders SET n = 5 WHERE id = NEW.id; RETURN NULL; END'");
  sql("CREATE TRIGGER aaa AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION again()");
  install(orders);
  sql("INSERT INTO orders VALUES (1, 1)");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.insert"), HasSubstr("orders.update")));
}

TEST_F(PgTablesTest, WhatTriggersBeforeMakeOfARowIsWhatIsCaptured) {
  sql("CREATE TABLE orders (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED)");
  sql("CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.n := NEW.n + 1; RETURN NEW; END'");
  sql("CREATE TRIGGER more BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION more()");
  install(orders);
  sql("INSERT INTO orders (id, n) VALUES (1, 1)");
  sql("UPDATE orders SET id = 1");
  EXPECT_THAT(events(), ElementsAre(R"(orders.insert 1: null -> {"id":1,"n":2,"twice":4})",
                                    R"(orders.update 1: {"id":1,"n":2,"twice":4} -> {"id":1,"n":3,"twice":6})"));
}

TEST_F(PgTablesTest, PartitionsAreCaptured) {
  sql("CREATE TABLE orders (id int, part int, n int, PRIMARY KEY (id, part)) PARTITION BY LIST (part)");
  sql("CREATE TABLE one PARTITION OF orders FOR VALUES IN (1)");
  install(R"({"orders": {"table": "orders", "replica": true}})");
  EXPECT_THAT(check(R"({"orders": {"table": "orders", "replica": true}})"), IsEmpty());
  sql("CREATE TABLE two (n int, gone int, part int NOT NULL, id int NOT NULL)");
  sql("ALTER TABLE two DROP COLUMN gone");
  sql("ALTER TABLE orders ATTACH PARTITION two FOR VALUES IN (2)");  // columns in another order, and made later
  sql("INSERT INTO orders VALUES (1, 1, 5)");
  sql("INSERT INTO two (id, part, n) VALUES (2, 2, 6)");  // directly
  sql("UPDATE orders SET part = 2 WHERE id = 1");         // moves
  sql("TRUNCATE orders");
  EXPECT_THAT(events(), ElementsAre(R"(orders.insert [1, 1]: null -> {"id":1,"part":1,"n":5})",
                                    R"(orders.insert [2, 2]: null -> {"n":6,"part":2,"id":2})",
                                    R"(orders.delete [1, 1]: {"id":1,"part":1,"n":5} -> null)",
                                    R"(orders.insert [1, 2]: null -> {"n":5,"part":2,"id":1})",
                                    "orders.truncate -: null -> null"));
  EXPECT_THROW(install(R"({"orders": {"table": "orders", "level": "statement"}})"), StoreError);
}

TEST_F(PgTablesTest, CascadesComeAfterWhatTheyFollowFrom) {
  sql("CREATE TABLE orders (id int PRIMARY KEY)");
  sql("CREATE TABLE items (id int PRIMARY KEY, ordered int REFERENCES orders ON DELETE CASCADE)");
  install(R"({"orders": {"table": "orders"}, "items": {"table": "items"}})");
  sql("INSERT INTO orders VALUES (1)");
  sql("INSERT INTO items VALUES (10, 1)");
  events();
  sql("DELETE FROM orders");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.delete"), HasSubstr("items.delete")));
}

TEST_F(PgTablesTest, SomeThingsAreNotSeen) {  // docs/capture.md says so
  sql("CREATE TABLE orders (id int PRIMARY KEY)");
  sql("CREATE TABLE heirs () INHERITS (orders)");
  sql("CREATE TABLE many (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE one PARTITION OF many FOR VALUES IN "
      "(1)");
  install(R"({"orders": {"table": "orders"}, "many": {"table": "many"}})");
  sql("INSERT INTO heirs VALUES (1)");
  sql("TRUNCATE one");
  EXPECT_THAT(events(), IsEmpty());
}

TEST_F(PgTablesTest, InstallingWaitsForWritersNotForLong) {
  sql("CREATE TABLE orders (id int PRIMARY KEY)");
  tests::Sql other;
  other("BEGIN; INSERT INTO " + config.schema + ".orders VALUES (1)");
  try {
    install(orders);
    FAIL() << "it does not wait";
  } catch (const StoreError& error) {
    EXPECT_THAT(error.what(), HasSubstr("lock timeout"));
  }
  other("COMMIT");
  EXPECT_THAT(check(orders), ElementsAre("orders: It is not installed: 'capture install FILE' makes it."));
  EXPECT_THAT(install(orders), SizeIs(1));
}

TEST_F(PgTablesTest, AnOutboxWithShardsChoosesThemByTheKey) {
  sql("DROP TABLE " + outbox() + ", " + shards() + ", " + dead_letters());
  PgOutboxTest::install(4);
  sql("CREATE TABLE orders (id int PRIMARY KEY, n int)");
  install(orders);
  sql("INSERT INTO orders SELECT n FROM generate_series(1, 40) AS n");
  sql("UPDATE orders SET n = 1");
  EXPECT_EQ(sql("SELECT count(DISTINCT shard) FROM " + outbox() + " WHERE target = 'event:orders.insert'"), "4");
  EXPECT_THAT(events(), SizeIs(80));
}

TEST_F(PgTablesTest, CatchingFailuresCostsNoTransactionId) {
  sql("CREATE TABLE orders (id int PRIMARY KEY, n int)");
  install(orders);
  sql("BEGIN; INSERT INTO orders VALUES (1); UPDATE orders SET n = 1; UPDATE orders SET id = 2; DELETE FROM orders");
  EXPECT_EQ(sql("SELECT count(*), count(DISTINCT xmin::text), min(xmin::text) = (txid_current() % "
                "(2^32)::bigint)::text FROM " +
                outbox()),
            "5|1|t");
  sql("COMMIT");
}

TEST_F(PgTablesTest, TruncateIsAnEventOrRefusedOrNothing) {
  sql("CREATE TABLE orders (id int PRIMARY KEY)");
  install(R"({"orders": {"table": "orders", "truncate": "refuse"}})");
  EXPECT_THAT(error_of("TRUNCATE orders"), HasSubstr("TRUNCATE of orders is refused: its changes are captured."));
  install(R"({"orders": {"table": "orders", "truncate": "ignore"}})");
  sql("TRUNCATE orders");
  EXPECT_THAT(events(), IsEmpty());
}

TEST_F(PgTablesTest, ReplicationIsCapturedOnlyWhereItIsAskedFor) {
  sql("CREATE TABLE orders (id int PRIMARY KEY)");
  install(orders);
  sql("SET session_replication_role = replica");
  sql("INSERT INTO orders VALUES (1)");
  EXPECT_THAT(events(), IsEmpty());
  install(R"({"orders": {"table": "orders", "replica": true}})");
  sql("INSERT INTO orders VALUES (2)");
  sql("TRUNCATE orders");
  EXPECT_THAT(events(), SizeIs(2));
  install(orders);
  sql("INSERT INTO orders VALUES (3)");
  EXPECT_THAT(events(), IsEmpty());
  for (const std::string& name : sql.rows("SELECT tgname FROM pg_trigger WHERE tgrelid = 'orders'::regclass")) {
    sql("ALTER TABLE orders ENABLE ALWAYS TRIGGER " + name);
  }
  EXPECT_THAT(check(orders), ::testing::Each(HasSubstr("fires for replication")));
  EXPECT_THAT(install(orders), SizeIs(1));
  sql("ALTER TABLE orders DISABLE TRIGGER USER");
  EXPECT_THAT(check(orders), ::testing::Each(HasSubstr("is disabled")));
  EXPECT_THAT(install(orders), SizeIs(1));
  EXPECT_THAT(check(orders), IsEmpty());
}

// ------------------------------------------------------------------------------------------------------------- rights

TEST_F(PgTablesTest, WritersNeedNoRightOnTheOutbox) {
  sql("CREATE TABLE orders (id int PRIMARY KEY, n int)");
  install(orders);
  const std::string writer = config.schema + "_writer";
  sql("CREATE ROLE " + writer);
  sql("GRANT USAGE ON SCHEMA " + config.schema + " TO " + writer);
  sql("GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON orders TO " + writer);
  sql("GRANT CREATE ON SCHEMA " + config.schema + " TO " + writer);
  sql("SET ROLE " + writer);
  // Names that the function uses, in a schema that its caller chose: they stay unused.
  sql("CREATE FUNCTION row_to_json(anyelement) RETURNS json LANGUAGE sql AS $$ SELECT '{\"id\": \"stolen\"}'::json $$");
  sql("SET search_path = " + config.schema + ", pg_catalog");
  sql("CREATE TEMP TABLE pg_attribute (attname name, attnum int, attrelid oid, attisdropped boolean)");
  sql("INSERT INTO orders VALUES (1, 1); UPDATE orders SET n = 2; UPDATE orders SET id = 2; DELETE FROM orders");
  EXPECT_THAT(error_of("SELECT * FROM " + outbox()), HasSubstr("permission denied"));
  // A trigger of theirs may not write to it in our name.
  sql("CREATE TABLE theirs (id int)");
  const std::string function = sql("SELECT proname FROM pg_proc WHERE pronamespace = '" + config.schema +
                                   "'::regnamespace AND proname LIKE '\\_at\\_capture\\_orders\\_insert%'");
  ASSERT_FALSE(function.empty());
  EXPECT_THAT(error_of("CREATE TRIGGER mine AFTER INSERT ON theirs FOR EACH ROW EXECUTE FUNCTION " + function + "()"),
              HasSubstr("permission denied for function"));
  sql("RESET ROLE");
  EXPECT_THAT(
      events(),
      ElementsAre(R"(orders.insert 1: null -> {"id":1,"n":1})", R"(orders.update 1: {"id":1,"n":1} -> {"id":1,"n":2})",
                  R"(orders.delete 1: {"id":1,"n":2} -> null)", R"(orders.insert 2: null -> {"id":2,"n":2})",
                  R"(orders.delete 2: {"id":2,"n":2} -> null)"));
  sql("DROP OWNED BY " + writer + "; DROP ROLE " + writer);
}

// ------------------------------------------------------------------------------------------------------------- names

TEST_F(PgTablesTest, NamesAreNeverSql) {
  for (const std::string& more :
       std::vector<std::string>{"", R"(, "old": "changed", "max_bytes": 1000)",
                                R"(, "level": "statement", "old": "changed")", R"(, "level": "statement")"}) {
    sql(R"(CREATE TABLE "my ""t'; DROP TABLE x; --" ("i""d" int PRIMARY KEY, "a'b" text, "NEW" text, "@row@" text,
      "select" text, "back\slash" text, "$capture$" text, "%I" text, r text, o text, n text, context text, key text,
      old text, new text, payload text, target text))");
    install(R"({"odd": {"table": "\"my \"\"t'; DROP TABLE x; --\"", "event": "it's @table@ \\ $capture$ {op}")" + more +
            "}}");
    sql(R"(INSERT INTO "my ""t'; DROP TABLE x; --" ("i""d", "a'b", "$capture$", r, o, n) VALUES (1, 'a', 'x', 'r', 'o', 'n'))");
    sql(R"(UPDATE "my ""t'; DROP TABLE x; --" SET "a'b" = 'A', context = 'c')");
    sql(R"(UPDATE "my ""t'; DROP TABLE x; --" SET "i""d" = 2)");
    sql(R"(ALTER TABLE "my ""t'; DROP TABLE x; --" DROP COLUMN "%I")");
    sql(R"(DELETE FROM "my ""t'; DROP TABLE x; --")");
    const Lines found = events();
    ASSERT_EQ(found.size(), 5U) << more;
    EXPECT_THAT(found[0], HasSubstr(R"(it's @table@ \ $capture$ insert 1: null -> {"i\"d":1,"a'b":"a",)")) << more;
    EXPECT_THAT(found[1], HasSubstr(R"("a'b":"A")")) << more;
    EXPECT_THAT(found[2], HasSubstr("delete 1:")) << more;
    EXPECT_THAT(found[3], HasSubstr("insert 2:")) << more;
    sql(R"(DROP TABLE "my ""t'; DROP TABLE x; --")");
  }
}

TEST_F(PgTablesTest, WhatCannotBeCapturedIsRefused) {
  sql("CREATE TABLE orders (id int PRIMARY KEY, note text); CREATE TABLE log (line text); CREATE VIEW seen AS SELECT 1 "
      "AS a");
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
  EXPECT_THAT(refusal(R"({"seen": {"table": "seen"}})"), HasSubstr("only tables can be captured"));
  EXPECT_THAT(refusal(R"({"log": {"table": "log", "key": ["line"], "level": "statement"}})"),
              HasSubstr("needs the primary key"));
  EXPECT_THAT(refusal(R"({"orders": {"table": "orders", "when": "NEW.nothing > 1", "ops": ["update"]}})"),
              HasSubstr("nothing"));
  EXPECT_THAT(
      check(orders),
      ElementsAre("orders: It is not installed: 'capture install FILE' makes it."));  // nothing of what failed is left
}

TEST_F(PgTablesTest, AConditionChoosesRows) {
  sql("CREATE TABLE orders (id int PRIMARY KEY, status text)");
  install(R"({"orders": {"table": "orders", "when": {"insert": "NEW.status <> 'draft' -- or so",
    "update": "NEW.status IS DISTINCT FROM OLD.status OR false", "delete": "OLD.status = 'paid'"}}})");
  sql("INSERT INTO orders VALUES (1, 'draft'), (2, 'open')");
  sql("UPDATE orders SET status = 'paid' WHERE id = 2");
  sql("DELETE FROM orders");
  EXPECT_THAT(events(), ElementsAre(R"(orders.insert 2: null -> {"id":2,"status":"open"})",
                                    R"(orders.update 2: {"id":2,"status":"open"} -> {"id":2,"status":"paid"})",
                                    R"(orders.delete 2: {"id":2,"status":"paid"} -> null)"));
}

TEST_F(PgTablesTest, KeysAreWhatIsChosen) {
  sql("CREATE TABLE orders (id int PRIMARY KEY, customer text, place float8)");
  install(R"({"orders": {"table": "orders", "key": ["customer"]}})");
  sql("INSERT INTO orders VALUES (1, 'a', 1)");
  sql("UPDATE orders SET place = 2");
  sql("UPDATE orders SET customer = 'b'");
  sql("UPDATE orders SET customer = NULL");
  EXPECT_THAT(events(),
              ElementsAre(HasSubstr("orders.insert a:"), HasSubstr("orders.update a:"), HasSubstr("orders.delete a:"),
                          HasSubstr("orders.insert b:"), HasSubstr("orders.delete b:"), HasSubstr("orders.insert -:")));
  install(R"({"orders": {"table": "orders", "key": []}})");
  sql("UPDATE orders SET id = 5");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.update -:")));
  install(R"({"orders": {"table": "orders", "key": ["place", "customer"]}})");
  sql("UPDATE orders SET id = 6");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.update [2, null]:")));
  install(R"({"orders": {"table": "orders", "ops": ["update"], "truncate": "ignore"}})");
  sql("UPDATE orders SET id = 7");
  sql("DELETE FROM orders");
  EXPECT_THAT(events(), ElementsAre(HasSubstr("orders.delete 6:"), HasSubstr("orders.insert 7:")));
}

}  // namespace
}  // namespace action_triggers::detail
