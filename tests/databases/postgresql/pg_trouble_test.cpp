// SPDX-License-Identifier: MIT
// What goes wrong with a server while a relay works with it.
#include <gmock/gmock.h>

#include <limits>
#include <thread>

#include "databases/postgresql/pg_outbox_admin.hpp"
#include "databases/postgresql/pg_outbox_store.hpp"
#include "databases/postgresql/server.hpp"

namespace action_triggers::tests {
namespace {

using namespace std::chrono_literals;
using detail::Lease;
using detail::PgOutboxStore;
using detail::ReadRequest;
using detail::ReadResult;
using detail::StoreError;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

constexpr std::int64_t last_id = std::numeric_limits<std::int64_t>::max();

class PgTroubleTest : public PgOutboxTest {
 protected:
  PgTroubleTest() { install(); }

  ReadResult read(PgOutboxStore& store, const Lease& lease) {
    return store.read({.lease = lease, .ids = {{1, last_id}}, .targets = {}});
  }
};

TEST_F(PgTroubleTest, AServerThatIsStartedAgain) {
  for (const bool crash : {false, true}) {
    PgOutboxStore store(config);
    store.reopen();
    sql = Sql();
    insert(sql, {"x"});
    const auto taken = store.acquire(0, "me", 10min);
    ASSERT_TRUE(taken);
    PgServer::restart(crash);
    EXPECT_THAT([&] { (void)read(store, taken->first); },
                ThrowsMessage<StoreError>(AllOf(HasSubstr("reading rows"), HasSubstr("tried again"))));
    EXPECT_THAT([&] { (void)read(store, taken->first); },
                ThrowsMessage<StoreError>(HasSubstr("there is no connection")));
    store.reopen();
    EXPECT_THAT(read(store, taken->first).rows, SizeIs(crash ? 2 : 1));  // and the lease is still ours
    EXPECT_TRUE(store.renew(taken->first, 10min, {}));
    store.release(taken->first, {});
  }
  sql = Sql();
}

TEST_F(PgTroubleTest, ASessionThatIsEnded) {
  PgOutboxStore store(config);
  store.reopen();
  sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'action_triggers relay'");
  try {
    (void)store.acquire(0, "me", 1min);
    ADD_FAILURE() << "no error";
  } catch (const StoreError& error) {
    EXPECT_THAT(error.what(),
                AllOf(::testing::AnyOf(HasSubstr("terminating connection"), HasSubstr("closed the connection")),
                      HasSubstr("tried again")));
  }
  store.reopen();
  EXPECT_TRUE(store.acquire(0, "me", 1min));
}

TEST_F(PgTroubleTest, ALockedTableEndsWithTheTimeoutAndLeavesNobodyWaiting) {
  PgOutboxStore store(config, {.connect = 10s, .statement = 2s});
  store.reopen();
  const auto taken = store.acquire(0, "me", 10min);
  ASSERT_TRUE(taken);
  Sql locker;
  locker("BEGIN");
  locker("LOCK TABLE " + outbox() + " IN ACCESS EXCLUSIVE MODE");
  EXPECT_THAT([&] { (void)read(store, taken->first); },
              ThrowsMessage<StoreError>(AllOf(HasSubstr("statement timeout"), HasSubstr("pg_locks"))));
  EXPECT_TRUE(eventually([&] {
    return sql("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '" + outbox() + "'::regclass") == "0";
  }));
  locker("ROLLBACK");
  EXPECT_TRUE(read(store, taken->first).lease_is_held);
}

/// A text that is not UTF-8 would end each reading that comes to it, for ever.
TEST_F(PgTroubleTest, ADatabaseThatTakesAnyBytesAsText) {
  const std::string name = "ascii_" + config.schema;
  sql("CREATE DATABASE " + name + " ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
  std::string conninfo = PgServer::conninfo();
  conninfo.replace(conninfo.rfind('/') + 1, std::string::npos, name);
  config.conninfo = Secret(conninfo);
  {
    install();
    Sql application(conninfo);
    application("INSERT INTO " + outbox() +
                " (target, body, message_id, headers) VALUES"
                " (E'\\xe4', 'x', 'well', E'[[\"\\xff\", \"\"]]'), ('orders', 'x', E'\\xc3\\xa4', NULL)");
    PgOutboxStore store(config);
    store.reopen();
    const auto taken = store.acquire(0, "me", 10min);
    ASSERT_TRUE(taken);
    const ReadResult result = read(store, taken->first);
    ASSERT_THAT(result.rows, SizeIs(2));
    EXPECT_EQ(result.rows[0].target, "\xe4");
    EXPECT_EQ(result.rows[0].headers, "[[\"\xff\", \"\"]]");
    EXPECT_EQ(result.rows[1].message_id, "ä");
    store.bury(0, std::array<detail::DeadRow, 1>{{{.id = 1,
                                                   .created_at = result.rows[0].created_at,
                                                   .status = "invalid_argument",
                                                   .text = "ä",
                                                   .attempts = 0,
                                                   .destination = result.rows[0].target,
                                                   .message_id = ""}}});
    detail::PgOutboxAdmin admin(config);
    const auto dead = admin.dead({.destination = "\xe4"});
    ASSERT_THAT(dead, SizeIs(1));
    EXPECT_EQ(dead[0].target, "\xe4");
    EXPECT_EQ(dead[0].text, "ä");
    EXPECT_EQ(read(store, taken->first).rows.size(), 1U);
  }
  sql("DROP DATABASE " + name + " WITH (FORCE)");
}

TEST_F(PgTroubleTest, AServerThatIsReadOnly) {
  config.conninfo = Secret(PgServer::conninfo() + "?options=-c%20default_transaction_read_only%3Don");
  PgOutboxStore store(config);
  store.reopen();
  EXPECT_THAT([&] { (void)store.acquire(0, "me", 1min); },
              ThrowsMessage<StoreError>(AllOf(HasSubstr("read-only transaction"), HasSubstr("target_session_attrs"))));
  EXPECT_THAT([&] { store.remove(0, std::array<std::int64_t, 1>{1}, detail::created_at_any_time); },
              ThrowsMessage<StoreError>(HasSubstr("read-only")));
}

TEST_F(PgTroubleTest, ATableThatIsDroppedUnderIt) {
  PgOutboxStore store(config);
  store.reopen();
  const auto taken = store.acquire(0, "me", 1min);
  ASSERT_TRUE(taken);
  sql("DROP TABLE " + outbox());
  EXPECT_THAT([&] { (void)read(store, taken->first); },
              ThrowsMessage<StoreError>(AllOf(HasSubstr("does not exist"), HasSubstr("outbox install FILE"))));
  detail::PgOutboxAdmin(config).install();
  EXPECT_TRUE(read(store, taken->first).lease_is_held);  // the session goes on
}

TEST_F(PgTroubleTest, ALargeMessageGoesThere) {
  PgOutboxStore store(config);
  store.reopen();
  const auto taken = store.acquire(0, "me", 1min);
  sql("INSERT INTO " + outbox() + " (target, body) VALUES ('orders', convert_to(repeat('x', 50000000), 'UTF8'))");
  insert(sql, {"small"});
  const ReadResult result = read(store, taken->first);
  ASSERT_THAT(result.rows, SizeIs(1));
  EXPECT_EQ(result.rows[0].body.size(), 50'000'000U);
  EXPECT_FALSE(result.is_complete);
}

/// How many pages of the outbox and its index a statement of the store touches, and whether it sorts or walks over the
/// whole table: pages, not time.
class PgPlanTest : public PgTroubleTest {
 protected:
  PgPlanTest() : store(config) {
    store.reopen();
    for (const char* way : {"seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin"}) {  // as the store's session
      sql("SET enable_" + std::string(way) + " = off");
    }
    lease = store.acquire(0, "me", 1h).value().first;
  }

  void insert_many(int count) {
    sql("INSERT INTO " + outbox() +
        " (target, body) SELECT 'orders', 'a body of some length' FROM generate_series(1, " + std::to_string(count) +
        ")");
  }

  std::string explain_read(std::int64_t first, int limit, const std::string& targets = "NULL") {
    return explain(store.read_statement(),
                   {"0", "'me'", std::to_string(lease.epoch), "'{" + std::to_string(first) + "}'",
                    "'{" + std::to_string(last_id) + "}'", std::to_string(limit), "4000000", targets});
  }

  /// The plan, after it was carried out.
  std::string explain(std::string statement, const std::vector<std::string>& parameters) {
    for (std::size_t i = parameters.size(); i > 0; --i) {
      const std::string name = "$" + std::to_string(i);
      for (std::size_t at = 0; (at = statement.find(name, at)) != std::string::npos;) {
        statement.replace(at, name.size(), parameters[i - 1]);
      }
    }
    std::string plan;
    for (const std::string& line : sql.rows("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF) " + statement)) {
      plan += line + "\n";
    }
    return plan;
  }

  /// The first "Buffers:" line is the whole statement's.
  static long pages(const std::string& plan) {
    const std::size_t line = plan.find("Buffers:");
    long sum = 0;
    for (const char* kind : {"hit=", "read="}) {
      const std::size_t at = plan.find(kind, line);
      if (at < plan.find('\n', line)) sum += std::stol(plan.substr(at + std::string_view(kind).size()));
    }
    return sum;
  }

  PgOutboxStore store;
  Lease lease;
};

TEST_F(PgPlanTest, AMillionRowsAreReadInBatchesByThePrimaryKeyAlone) {
  insert_many(1'000'000);
  for (const bool analyzed : {false, true}) {
    if (analyzed) sql("ANALYZE " + outbox());
    for (const int first : {1, 500'000, 999'001}) {
      const std::string plan = explain_read(first, 1001);
      EXPECT_THAT(plan, HasSubstr("Index Scan using action_triggers_outbox_pkey"));
      EXPECT_THAT(plan, ::testing::Not(HasSubstr("Sort")));
      EXPECT_THAT(plan, ::testing::Not(HasSubstr("Seq Scan on action_triggers_outbox")));
      EXPECT_LT(pages(plan), 60) << plan;
    }
  }
  // All of them, as a relay does it.
  std::int64_t next = 1;
  std::size_t count = 0;
  for (bool is_complete = false; !is_complete;) {
    const ReadResult result = store.read({.lease = lease, .ids = {{next, last_id}}, .targets = {}, .limit = 5000});
    count += result.rows.size();
    if (!result.rows.empty()) next = result.rows.back().id + 1;
    is_complete = result.is_complete;
  }
  EXPECT_EQ(count, 1'000'000U);
}

TEST_F(PgPlanTest, DeadRowsBelowTheRangeAreNotWalkedOver) {
  sql("ALTER TABLE " + outbox() + " SET (autovacuum_enabled = off)");
  Sql foreign;  // it holds the horizon, so that nothing can be cleaned up
  foreign("BEGIN ISOLATION LEVEL REPEATABLE READ");
  foreign("SELECT pg_current_xact_id()");
  for (int batch = 0; batch < 30; ++batch) {
    insert_many(10'000);
    sql("DELETE FROM " + outbox());
  }
  insert_many(1000);
  const std::string all = explain_read(1, 1001);
  EXPECT_GT(pages(all), 1000);  // what the lower end of a range is for
  const std::string plan = explain_read(300'001, 1001);
  EXPECT_THAT(plan, HasSubstr("rows=1000"));
  EXPECT_LT(pages(plan), 60) << plan;

  std::string ids = "'{";
  for (int id = 300'001; id <= 301'000; ++id) ids += std::to_string(id) + (id < 301'000 ? "," : "}'::bigint[]");
  sql("BEGIN");
  const std::string removal =
      explain(store.remove_statement(), {"0", ids, "300001", "301000", "'-infinity'", "'infinity'"});
  sql("ROLLBACK");
  EXPECT_THAT(removal, ::testing::Not(HasSubstr("Seq Scan"))) << removal;
  EXPECT_LT(pages(removal), 6000) << removal;  // three or four a row, all in memory
}

TEST_F(PgPlanTest, StatisticsOfAnEmptyTableLeaveThePlanAsItIs) {
  sql("VACUUM ANALYZE " + outbox());
  insert_many(100'000);
  const std::string plan = explain_read(50'000, 1001);
  EXPECT_THAT(plan, ::testing::Not(HasSubstr("Sort")));
  EXPECT_LT(pages(plan), 60) << plan;
  // The worst: many pages, and none of them with a row.
  Sql foreign;
  foreign("BEGIN ISOLATION LEVEL REPEATABLE READ");
  foreign("SELECT 1");
  sql("DELETE FROM " + outbox());
  sql("ANALYZE " + outbox());
  insert_many(100'000);
  const std::string bloated = explain_read(150'000, 1001);
  EXPECT_THAT(bloated, ::testing::Not(HasSubstr("Sort")));
  EXPECT_LT(pages(bloated), 60) << bloated;
}

TEST_F(PgPlanTest, OneTargetIsReadByThePrimaryKey) {
  insert_many(10'000);
  sql("INSERT INTO " + outbox() + " (target, body) VALUES ('mails', 'x')");
  const std::string plan = explain_read(9'000, 1001, "'{mails}'");
  EXPECT_THAT(plan, HasSubstr("Index Scan using action_triggers_outbox_pkey"));
  EXPECT_LT(pages(plan), 60) << plan;
}

}  // namespace
}  // namespace action_triggers::tests
