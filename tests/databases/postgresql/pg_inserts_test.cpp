// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_inserts.hpp"

#include <gmock/gmock.h>

#include "databases/postgresql/server.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::PgServer;
using tests::Sql;

class PgInsertsTest : public tests::PgOutboxTest {
 protected:
  PgInsertsTest() { install(); }

  static std::vector<NewRow> plain(std::size_t count) {
    std::vector<NewRow> rows;
    for (std::size_t i = 0; i < count; ++i) {
      NewRow& row = rows.emplace_back();
      row.target = "orders";
      row.body = std::to_string(i);
    }
    return rows;
  }
  static NewRow whole() {
    NewRow row;
    row.target = "orders";
    row.body = std::string("a\0b\xFF", 4);
    row.key = "k\xFE";
    row.message_id = "m";
    row.content_type = "text/plain; \xC3\xBC";
    row.headers = R"([["a", 1]])";
    row.properties = R"({"priority": 1})";
    return row;
  }

  /// The transaction's id, or the error's SQLSTATE.
  std::string write(Sql& session, const std::vector<NewRow>& rows) {
    const PgResult result = PgInserts::of(session.get()).execute(config, rows);
    const char* const sqlstate = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    if (sqlstate != nullptr) return sqlstate;
    return result.rows() == 0 ? "no row" : result.text(0, 0);
  }
  static std::vector<std::string> prepared(Sql& session) {
    return session.rows("SELECT name FROM pg_prepared_statements ORDER BY name");
  }
  std::string count() { return Sql()("SELECT count(*) FROM " + outbox()); }
};

TEST_F(PgInsertsTest, PreparesWhatWasExecutedBefore) {
  PgInserts& inserts = PgInserts::of(sql.get());
  inserts.prepare();
  write(sql, plain(1));
  EXPECT_THAT(prepared(sql), IsEmpty());
  inserts.prepare();
  EXPECT_THAT(prepared(sql), SizeIs(1));
  write(sql, plain(1));
  write(sql, plain(3));
  inserts.prepare();
  EXPECT_THAT(prepared(sql), SizeIs(2));
  write(sql, plain(3));
  inserts.prepare();
  EXPECT_THAT(prepared(sql), SizeIs(2));
  EXPECT_EQ(count(), "8");
}

TEST_F(PgInsertsTest, SaysTheTransactionsId) {
  for (const bool is_prepared : {false, true}) {
    for (const std::size_t rows : {1U, 2U, 40U}) {
      sql("BEGIN");
      EXPECT_EQ(write(sql, plain(rows)), sql("SELECT pg_current_xact_id()")) << rows << " " << is_prepared;
      sql("COMMIT");
    }
    PgInserts::of(sql.get()).prepare();
  }
}

TEST_F(PgInsertsTest, KeepsEveryColumnInEveryWay) {
  const std::string columns =
      "SELECT target, body, key, message_id, content_type, headers, properties FROM " + outbox() + " ORDER BY id";
  const std::string is_whole = R"(orders|\x610062ff|\x6bfe|m|text/plain; ü|[["a", 1]]|{"priority": 1})";
  for (const bool is_prepared : {false, true}) {
    for (const std::size_t others : {0U, 2U, 40U}) {
      std::vector<NewRow> rows = plain(others);
      rows.insert(rows.begin(), whole());
      write(sql, rows);
      const std::vector<std::string> stored = Sql().rows(columns);
      ASSERT_THAT(stored, SizeIs(rows.size())) << is_prepared;
      EXPECT_EQ(stored.front(), is_whole);
      if (others > 0) {
        EXPECT_EQ(stored.back(), "orders|\\x" + std::string(others == 2 ? "31" : "3339") + "|||||");
      }
      sql("DELETE FROM " + outbox());
    }
    PgInserts::of(sql.get()).prepare();
  }
}

TEST_F(PgInsertsTest, KeepsTheOrderOfRows) {
  std::vector<std::string> wanted;
  for (int way = 0; way < 3; ++way) {  // as arrays, as they are, prepared
    write(sql, plain(16));
    PgInserts::of(sql.get()).prepare();
    for (const NewRow& row : plain(16)) wanted.push_back(row.body);
  }
  EXPECT_EQ(Sql().rows("SELECT convert_from(body, 'UTF8') FROM " + outbox() + " ORDER BY id"), wanted);
}

TEST_F(PgInsertsTest, NoticesWhatTheApplicationTakesAway) {
  for (const char* statement : {"DISCARD ALL", "DEALLOCATE ALL", "DEALLOCATE action_triggers_insert_3"}) {
    write(sql, plain(1));
    PgInserts::of(sql.get()).prepare();
    ASSERT_THAT(prepared(sql), SizeIs(1)) << statement;
    sql(statement);
    ASSERT_THAT(prepared(sql), IsEmpty()) << statement;
    write(sql, plain(1));
  }
  EXPECT_EQ(count(), "6");
}

TEST_F(PgInsertsTest, KeepsWhatTheApplicationLeaves) {
  for (const char* statement : {"DEALLOCATE theirs", "DISCARD TEMP", "DISCARD PLANS", "DEALLOCATE theirs"}) {
    if (statement == std::string("DEALLOCATE theirs")) sql("PREPARE theirs AS SELECT 1");
    write(sql, plain(1));
    PgInserts::of(sql.get()).prepare();
    sql(statement);
    write(sql, plain(1));
    PgInserts::of(sql.get()).prepare();
    EXPECT_THAT(prepared(sql), SizeIs(1)) << statement;
    write(sql, plain(1));
  }
  EXPECT_EQ(count(), "12");
}

TEST_F(PgInsertsTest, ATriggerMayKeepARowOut) {
  const std::string function = config.schema + ".keep_out()";
  sql("CREATE FUNCTION " + function + " RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
  sql("CREATE TRIGGER keep_out BEFORE INSERT ON " + outbox() + " FOR EACH ROW EXECUTE FUNCTION " + function);
  EXPECT_EQ(write(sql, plain(1)), "no row");
  for (const bool is_prepared : {false, true}) {
    for (const std::size_t rows : {2U, 40U}) EXPECT_NE(write(sql, plain(rows)), "no row") << is_prepared;
    PgInserts::of(sql.get()).prepare();
  }
  EXPECT_EQ(count(), "0");
}

TEST_F(PgInsertsTest, RecoversFromWhatItCannotNotice) {
  write(sql, plain(1));
  PgInserts::of(sql.get()).prepare();
  sql("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$");
  EXPECT_EQ(write(sql, plain(1)), "26000");
  write(sql, plain(1));
  EXPECT_EQ(count(), "2");
}

TEST_F(PgInsertsTest, ANewSessionHasNothingPrepared) {
  write(sql, plain(1));
  PgInserts::of(sql.get()).prepare();
  PQreset(sql.get());
  write(sql, plain(1));
  EXPECT_EQ(count(), "2");
  PgInserts::of(sql.get()).prepare();
  EXPECT_THAT(prepared(sql), SizeIs(1));
}

TEST_F(PgInsertsTest, AServerThatDoesNotPrepareIsLeftAlone) {
  sql("PREPARE action_triggers_insert_1 AS SELECT 1");
  for (int turn = 0; turn < 3; ++turn) {
    write(sql, plain(1));
    PgInserts::of(sql.get()).prepare();
  }
  EXPECT_THAT(prepared(sql), ElementsAre("action_triggers_insert_1"));
  EXPECT_EQ(count(), "3");
}

TEST_F(PgInsertsTest, BehindAPoolerNothingIsPrepared) {
  Sql pooled(PgServer::bouncer_conninfo());
  for (int turn = 0; turn < 3; ++turn) {
    write(pooled, plain(1));
    write(pooled, plain(10));
    PgInserts::of(pooled.get()).prepare();
  }
  EXPECT_THAT(prepared(pooled), IsEmpty());
  EXPECT_EQ(count(), "33");
}

TEST_F(PgInsertsTest, EachTableHasItsOwn) {
  write(sql, plain(1));
  PgInserts::of(sql.get()).prepare();
  OutboxConfig other = config;
  other.table = "others";
  sql("CREATE TABLE " + config.schema + ".others (LIKE " + outbox() + " INCLUDING ALL)");
  std::vector<NewRow> rows = plain(1);
  PgInserts::of(sql.get()).execute(other, rows);
  EXPECT_EQ(count(), "1");
  EXPECT_EQ(sql("SELECT count(*) FROM " + config.schema + ".others"), "1");
}

TEST_F(PgInsertsTest, ATableThatChangesIsPreparedAnew) {
  write(sql, plain(1));
  PgInserts::of(sql.get()).prepare();
  write(sql, plain(1));
  sql("ALTER TABLE " + outbox() + " ADD COLUMN note text DEFAULT 'x'");
  write(sql, plain(1));
  EXPECT_EQ(count(), "3");
}

}  // namespace
}  // namespace action_triggers::detail
