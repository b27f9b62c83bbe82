// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_tables.hpp"

#include <gmock/gmock.h>

#include <thread>

#include "databases/postgresql/pg_outbox_admin.hpp"
#include "databases/postgresql/pg_outbox_store.hpp"
#include "databases/postgresql/server.hpp"

namespace action_triggers::tests {
namespace {

using detail::PgOutboxAdmin;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class PgTablesTest : public PgOutboxTest {};

TEST_F(PgTablesTest, OnlyTargetAndBodyAreRequired) {
  install();
  insert(sql, {"one", "two"});
  EXPECT_THAT(sql.rows("SELECT id, shard, target, convert_from(body, 'UTF8'), key, message_id, content_type, headers,"
                       " properties, created_at <= clock_timestamp(), done FROM " +
                       outbox() + " ORDER BY id"),
              ElementsAre("1|0|orders|one|||||"
                          "|t|0",
                          "2|0|orders|two|||||"
                          "|t|0"));
  EXPECT_THROW(sql("INSERT INTO " + outbox() + " (target) VALUES ('orders')"), std::runtime_error);
  EXPECT_THROW(sql("INSERT INTO " + outbox() + " (body) VALUES ('x')"), std::runtime_error);
}

TEST_F(PgTablesTest, ThePrimaryKeyIsTheOnlyIndex) {
  install();
  EXPECT_THAT(
      sql.rows("SELECT pg_get_indexdef(indexrelid, 0, true) FROM pg_index WHERE indrelid = '" + outbox() +
               "'::regclass"),
      ElementsAre("CREATE UNIQUE INDEX action_triggers_outbox_pkey ON " + outbox() + " USING btree (shard, id)"));
  EXPECT_EQ(sql("SELECT seqcache FROM pg_sequence WHERE seqrelid = pg_get_serial_sequence('" + outbox() +
                "', 'id')::regclass"),
            "1");
}

TEST_F(PgTablesTest, InstallingAgainChangesNothing) {
  install();
  insert(sql, {"one"});
  const std::string id = sql("SELECT outbox_id FROM " + shards());
  install();
  EXPECT_EQ(sql("SELECT count(*) FROM " + outbox()), "1");
  EXPECT_THAT(sql.rows("SELECT outbox_id FROM " + shards()), ElementsAre(id));
}

TEST_F(PgTablesTest, ManyMayInstallAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      try {
        PgOutboxAdmin(config).install();
      } catch (const std::exception& error) {
        ++failures;
        ADD_FAILURE() << error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_THAT(PgOutboxAdmin(config).verify(), IsEmpty());
}

TEST_F(PgTablesTest, NamesMayHaveAnyCharacters) {
  config.table = "my \"out\" box's $$ \\ %s; --";
  config.shards_table = "sh'ards\"";
  config.dead_letters_table = "D\xC3\xA4\"d";
  const std::string schema = config.schema;
  config.schema += " \"o'x\\";
  for (const std::int32_t shards : {1, 4}) {
    install(shards);
    EXPECT_THAT(PgOutboxAdmin(config).verify(), IsEmpty());
    detail::PgOutboxStore store(config);
    EXPECT_EQ(store.reopen().shards, shards);
    const std::string quoted = detail::PgTables(config).schema;
    EXPECT_EQ(sql("SELECT count(*) FROM pg_tables WHERE schemaname = '" + schema + " \"o''x\\'"), "3");
    sql("DROP SCHEMA " + quoted + " CASCADE");
  }
  config.schema = schema;
}

TEST_F(PgTablesTest, AKeyIsAlwaysInOneShard) {
  install(4);
  sql("INSERT INTO " + outbox() +
      " (target, body, key) SELECT 'orders', 'x', ('key ' || i % 100)::bytea"
      " FROM generate_series(1, 1000) AS i");
  EXPECT_EQ(sql("SELECT count(DISTINCT (key, shard)) FROM " + outbox()), "100");
  EXPECT_THAT(sql.rows("SELECT DISTINCT shard FROM " + outbox()), UnorderedElementsAre("0", "1", "2", "3"));
  EXPECT_EQ(sql("SELECT count(*) > 150 FROM " + outbox() + " GROUP BY shard ORDER BY 1 LIMIT 1"), "t");
  EXPECT_EQ(sql("SELECT count(*) FROM " + shards()), "4");
  sql("INSERT INTO " + outbox() + " (target, body, key) VALUES ('orders', 'x', '\\x00ff')");  // any bytes
}

TEST_F(PgTablesTest, TheShardIsChosenInEverySessionWhateverIsGiven) {
  install(4);
  sql("CREATE FUNCTION " + config.schema +
      ".wrong(bigint, integer) RETURNS bigint LANGUAGE sql AS 'SELECT 77::bigint'");
  sql("CREATE OPERATOR " + config.schema + ".% (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = " + config.schema +
      ".wrong)");
  const std::string insertion =
      "INSERT INTO " + outbox() + " (target, body, key, shard) VALUES ('orders', 'x', 'k', 99)";
  sql(insertion);
  sql("SET session_replication_role = replica");
  sql(insertion);
  sql("SET search_path = " + config.schema + ", pg_catalog");
  sql(insertion);
  EXPECT_EQ(sql("SELECT count(DISTINCT shard), max(shard) < 4 FROM " + outbox()), "1|t");
}

TEST_F(PgTablesTest, OneShardStaysOneShard) {
  install(1);
  install(4);
  sql("INSERT INTO " + outbox() +
      " (target, body, key) SELECT 'orders', 'x', ('key ' || i)::bytea"
      " FROM generate_series(1, 100) AS i");
  EXPECT_THAT(sql.rows("SELECT DISTINCT shard FROM " + outbox()), ElementsAre("0"));
}

TEST_F(PgTablesTest, TheNumberOfShardsStaysWhatItWas) {
  install(2);
  sql("INSERT INTO " + outbox() + " (target, body, key) VALUES ('orders', 'x', 'k')");
  const std::string before = sql("SELECT shard FROM " + outbox());
  install(64);
  sql("INSERT INTO " + outbox() + " (target, body, key) VALUES ('orders', 'x', 'k')");
  EXPECT_THAT(sql.rows("SELECT shard FROM " + outbox()), ElementsAre(before, before));
  EXPECT_EQ(sql("SELECT count(*) FROM " + shards()), "2");
}

TEST_F(PgTablesTest, TheInsertStatementTakesEveryColumn) {
  install();
  const std::string statement = detail::pg_insert_statement(config);
  EXPECT_EQ(statement, "INSERT INTO \"" + config.schema +
                           "\".\"action_triggers_outbox\" (target, body, key, message_id, content_type, headers,"
                           " properties) VALUES ($1, $2, $3, $4, $5, $6, $7)");
  const std::array<const char*, 7> values{"orders", "\\x00ff", nullptr, "id", "text/plain", R"([["a", "\u0000"]])",
                                          "{}"};
  const std::unique_ptr<PGresult, void (*)(PGresult*)> result(
      PQexecParams(sql.get(), statement.c_str(), 7, nullptr, values.data(), nullptr, nullptr, 0), PQclear);
  EXPECT_STREQ(PQresultErrorMessage(result.get()), "");
  EXPECT_EQ(sql("SELECT target, body, key, message_id, content_type, headers, properties FROM " + outbox()),
            "orders|\\x00ff||id|text/plain|[[\"a\", \"\\u0000\"]]|{}");
}

}  // namespace
}  // namespace action_triggers::tests
