// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_store.hpp"

#include <gmock/gmock.h>

#include <limits>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "base/wake_fd.hpp"
#include "sqlite_database.hpp"
#include "support/child_process.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::SqliteDatabase;

constexpr std::int64_t last_id = std::numeric_limits<std::int64_t>::max();
constexpr std::string_view count_rows = "SELECT count(*) FROM action_triggers_outbox";

std::vector<std::int64_t> ids_of(const ReadResult& result) {
  std::vector<std::int64_t> ids;
  for (const OutboxRow& row : result.rows) ids.push_back(row.id);
  return ids;
}

DeadRow dead_row(std::int64_t id) {
  DeadRow row;
  row.id = id;
  row.status = "poisoned";
  row.destination = "orders";
  return row;
}

/// In both journal modes.
class SqliteStoreTest : public ::testing::TestWithParam<std::string> {
 protected:
  SqliteStoreTest() : database_(GetParam()), store_(database_.config) { info_ = store_.reopen(); }

  const tests::SqliteSession& application() const { return database_.application; }
  Lease lease(const std::string& owner = "one") { return store_.acquire(0, owner, 10s).value().first; }
  ReadResult read_all() {
    return store_.read({.lease = lease(), .ids = {{1, last_id}}, .targets = {}, .limit = 1000, .most_bytes = 1U << 20});
  }
  void expire() { application().execute("UPDATE action_triggers_shards SET expires = julianday('now') - 1"); }
  std::int64_t count() { return application().number(std::string(count_rows)); }
  void insert(int rows) {
    for (int row = 0; row < rows; ++row) application().insert("orders", "body");
  }

  SqliteDatabase database_;
  SqliteOutboxStore store_;
  OutboxInfo info_;
};
INSTANTIATE_TEST_SUITE_P(JournalModes, SqliteStoreTest, ::testing::Values("wal", "delete"),
                         [](const auto& mode) { return mode.param; });

// --------------------------------------------------------------------------------------------------------------- lease

TEST_P(SqliteStoreTest, KnowsItsOutbox) {
  EXPECT_EQ(info_.shards, 1);
  EXPECT_THAT(info_.outbox_id, SizeIs(32));
  EXPECT_EQ(store_.reopen().outbox_id, info_.outbox_id);
}

/// Somebody has emptied all tables, say.
TEST_P(SqliteStoreTest, AShardThatIsMissingIsAnError) {
  application().execute("DELETE FROM action_triggers_shards");
  EXPECT_THAT([this] { (void)store_.acquire(0, "one", 10s); },
              ::testing::ThrowsMessage<StoreError>(::testing::HasSubstr("has no row for shard 0, in '")));
}

TEST_P(SqliteStoreTest, OnlyOneOwnerHasTheShard) {
  const auto first = store_.acquire(0, "one", 10s);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->first.epoch, 1);
  EXPECT_EQ(first->first.owner, "one");
  EXPECT_EQ(first->second.low, 0);
  EXPECT_FALSE(first->second.head);

  SqliteOutboxStore other(database_.config);
  other.reopen();
  EXPECT_FALSE(other.acquire(0, "two", 10s));
  EXPECT_FALSE(store_.acquire(1, "one", 10s)) << "there is one shard";
}

TEST_P(SqliteStoreTest, AnOwnerThatDiedIsFollowedWhenItsLeaseIsOver) {
  const Lease dead = lease("one");
  ASSERT_TRUE(store_.renew(dead, 10s, {.low = 5, .head = 7, .deaths = 0}));
  expire();
  const auto taken = store_.acquire(0, "two", 10s);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->first.epoch, dead.epoch + 1);
  EXPECT_EQ(taken->second.low, 5);
  EXPECT_EQ(taken->second.head, -7) << "not sent by this owner yet";
  EXPECT_EQ(taken->second.deaths, 1);

  EXPECT_FALSE(store_.renew(dead, 10s, {}));
  store_.release(dead, {});  // of no consequence
  EXPECT_TRUE(store_.renew(taken->first, 10s, taken->second));
  expire();
  const auto next = store_.acquire(0, "three", 10s);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->second.head, -7);
  EXPECT_EQ(next->second.deaths, 1) << "nobody has died of it";
}

TEST_P(SqliteStoreTest, AReleasedShardIsFreeAtOnceAndNobodyDied) {
  const Lease first = lease("one");
  store_.release(first, {.low = 3, .head = std::nullopt, .deaths = 0});
  const auto second = store_.acquire(0, "two", 10s);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->second.low, 3);
  EXPECT_EQ(second->second.deaths, 0);
}

TEST_P(SqliteStoreTest, AnOwnerThatComesBackIsNoDeath) {
  lease("one");
  const auto again = store_.acquire(0, "one", 10s);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->first.epoch, 2);
  EXPECT_EQ(again->second.deaths, 0);
}

TEST_P(SqliteStoreTest, ALeaseFromBeforeTheClockWasSetBackIsOver) {
  lease("one");
  application().execute("UPDATE action_triggers_shards SET expires = expires + 15 / 86400.0");
  EXPECT_TRUE(store_.acquire(0, "two", 10s)) << "25 s are more than twice a lease";
  application().execute("UPDATE action_triggers_shards SET expires = expires + 5 / 86400.0");
  EXPECT_FALSE(store_.acquire(0, "three", 10s)) << "15 s may be a clock that was put right";
}

TEST_P(SqliteStoreTest, NothingIsReadWithoutTheLease) {
  insert(1);
  const Lease first = lease("one");
  expire();
  ReadRequest request{.lease = first, .ids = {{1, last_id}}, .targets = {}};
  EXPECT_FALSE(store_.read(request).lease_is_held);
  const Lease second = lease("two");
  const ReadResult stale = store_.read(request);
  EXPECT_FALSE(stale.lease_is_held);
  EXPECT_THAT(stale.rows, IsEmpty());
  request.lease = second;
  EXPECT_TRUE(store_.read(request).lease_is_held);
}

// ------------------------------------------------------------------------------------------------------------- reading

TEST_P(SqliteStoreTest, ReadsRangesInOrder) {
  insert(10);
  ReadRequest request{.lease = lease(), .ids = {{2, 3}, {7, 7}, {9, last_id}}, .targets = {}};
  const ReadResult result = store_.read(request);
  EXPECT_THAT(ids_of(result), ElementsAre(2, 3, 7, 9, 10));
  EXPECT_TRUE(result.is_complete);
  EXPECT_EQ(result.horizon.next, 0U);
  EXPECT_EQ(result.horizon.oldest_open, 0U);

  request.ids = {};
  EXPECT_THAT(store_.read(request).rows, IsEmpty());
}

TEST_P(SqliteStoreTest, StopsAtTheLimitOfRows) {
  insert(4);
  ReadRequest request{.lease = lease(), .ids = {{1, 1}, {2, last_id}}, .targets = {}, .limit = 3};
  const ReadResult result = store_.read(request);
  EXPECT_THAT(ids_of(result), ElementsAre(1, 2, 3));
  EXPECT_FALSE(result.is_complete);
  request.ids = {{4, last_id}};
  EXPECT_TRUE(store_.read(request).is_complete);
}

TEST_P(SqliteStoreTest, StopsAfterTheRowThatReachesTheBytes) {
  for (int row = 0; row < 3; ++row) application().insert("orders", std::string(100, 'x'));
  ReadRequest request{.lease = lease(), .ids = {{1, last_id}}, .targets = {}, .limit = 10, .most_bytes = 150};
  const ReadResult result = store_.read(request);
  EXPECT_THAT(ids_of(result), ElementsAre(1, 2));
  EXPECT_FALSE(result.is_complete);
}

TEST_P(SqliteStoreTest, ReadsOnlyTheTargetsThatAreAskedFor) {
  application().insert("orders", "1");
  application().insert("mails", "2");
  application().insert("event:order.paid", "3");
  const ReadRequest request{.lease = lease(), .ids = {{1, last_id}}, .targets = {"mails", "event:order.paid"}};
  EXPECT_THAT(ids_of(store_.read(request)), ElementsAre(2, 3));
}

TEST_P(SqliteStoreTest, ReadsEveryByte) {
  application().execute(
      "INSERT INTO action_triggers_outbox (target, body, key, message_id, content_type, headers, properties, "
      "created_at, "
      "done) VALUES ('orders', x'00FF0041', x'00', 'id-1', 'text/plain', '[[\"a\",\"b\"]]', '{\"priority\":5}', "
      "julianday('2026-11-26 12:34:56.789'), 3)");
  const ReadResult result = read_all();
  ASSERT_THAT(result.rows, SizeIs(1));
  const OutboxRow& row = result.rows.front();
  EXPECT_EQ(row.id, 1);
  EXPECT_EQ(row.shard, 0);
  EXPECT_EQ(row.target, "orders");
  EXPECT_EQ(row.body, std::string("\0\xFF\0A", 4));
  EXPECT_EQ(row.key, std::string(1, '\0'));
  EXPECT_EQ(row.message_id, "id-1");
  EXPECT_EQ(row.content_type, "text/plain");
  EXPECT_EQ(row.headers, R"([["a","b"]])");
  EXPECT_EQ(row.properties, R"({"priority":5})");
  EXPECT_EQ(row.done, 3U);
  constexpr std::chrono::sys_seconds second =
      std::chrono::sys_days(std::chrono::year(2026) / 11 / 26) + 12h + 34min + 56s;
  EXPECT_EQ(row.created_at, second + 789ms);
}

TEST_P(SqliteStoreTest, ReadsWhatIsNotThere) {
  application().execute("INSERT INTO action_triggers_outbox (target, body) VALUES ('orders', 'text')");
  application().execute("INSERT INTO action_triggers_outbox (created_at, shard) VALUES ('yesterday', NULL)");
  const auto now = std::chrono::system_clock::now();
  const ReadResult result = read_all();
  ASSERT_THAT(result.rows, SizeIs(2));
  const OutboxRow& row = result.rows.front();
  EXPECT_EQ(row.body, "text");
  EXPECT_FALSE(row.key || row.message_id || row.content_type || row.headers || row.properties);
  EXPECT_EQ(row.done, 0U);
  EXPECT_LT(std::chrono::abs(row.created_at - now), 1min);
  EXPECT_EQ(result.rows[1].target, "");
}

/// A message's id is derived from it, and has to be the same at every attempt.
TEST_P(SqliteStoreTest, ATimeIsTheSameAtEachReading) {
  for (const char* time : {"NULL", "'2026-11-26 12:34:56'", "'now'", "' now '", "'yesterday'", "''", "x'6e6f77'"}) {
    application().execute("INSERT INTO action_triggers_outbox (target, created_at) VALUES ('orders', " +
                          std::string(time) + ")");
  }
  constexpr std::chrono::sys_seconds second =
      std::chrono::sys_days(std::chrono::year(2026) / 11 / 26) + 12h + 34min + 56s;
  const std::chrono::sys_seconds none{};
  std::vector<decltype(OutboxRow::created_at)> times;
  for (const OutboxRow& row : read_all().rows) times.push_back(row.created_at);
  EXPECT_THAT(times, ElementsAre(none, second, none, none, none, none, none));
}

TEST_P(SqliteStoreTest, ReadsADatabaseInUtf16) {
  const tests::TemporaryFolder folder;
  const OutboxConfig config = tests::sqlite_config(folder.file("utf16.db"));
  const tests::SqliteSession utf16(config.path);
  utf16.execute("PRAGMA encoding='UTF-16'");
  utf16.execute("PRAGMA journal_mode=" + GetParam());
  utf16.execute(sqlite_schema(config));
  utf16.execute("INSERT INTO action_triggers_outbox (target, body, key) VALUES ('größe', '{\"ä\":1}', x'FF00')");
  SqliteOutboxStore store(config);
  store.reopen();
  const Lease held = store.acquire(0, "one", 10s).value().first;
  const ReadResult result = store.read({.lease = held, .ids = {{1, last_id}}, .targets = {"größe"}});
  ASSERT_THAT(result.rows, SizeIs(1));
  EXPECT_EQ(result.rows[0].body, "{\"ä\":1}");
  EXPECT_EQ(result.rows[0].key, std::string("\xFF\0", 2));
}

TEST_P(SqliteStoreTest, ReadsWhatIsCommittedAndNothingElse) {
  const Lease held = lease();
  application().execute("BEGIN");
  application().insert("orders", "kept");
  application().execute("SAVEPOINT change");
  application().insert("orders", "undone");
  application().execute("ROLLBACK TO change");
  EXPECT_THAT(store_.read({.lease = held, .ids = {{1, last_id}}, .targets = {}}).rows, IsEmpty());
  application().execute("COMMIT");
  application().execute("BEGIN");
  application().insert("orders", "undone");
  application().execute("ROLLBACK");
  application().insert("orders", "last");
  const ReadResult result = read_all();
  ASSERT_THAT(result.rows, SizeIs(2));
  EXPECT_EQ(result.rows[0].body, "kept");
  EXPECT_EQ(result.rows[1].body, "last");
}

// ------------------------------------------------------------------------------------------------------------ changing

TEST_P(SqliteStoreTest, RemovesWhatIsConfirmed) {
  insert(8);
  store_.remove(0, std::vector<std::int64_t>{5, 2, 3, 3, 99, 8}, created_at_any_time);
  EXPECT_THAT(application().column("SELECT id FROM action_triggers_outbox"), ElementsAre("1", "4", "6", "7"));
  store_.remove(0, {}, created_at_any_time);
  EXPECT_EQ(count(), 4);
}

TEST_P(SqliteStoreTest, RemovesManyInSeveralTransactions) {
  application().execute("BEGIN");
  insert(2500);
  application().execute("COMMIT");
  int commits = 0;
  sqlite3_commit_hook(
      store_.connection(), [](void* to) { return ++*static_cast<int*>(to), 0; }, &commits);
  std::vector<std::int64_t> ids(2500);
  std::iota(ids.begin(), ids.end(), 1);
  store_.remove(0, ids, created_at_any_time);
  EXPECT_EQ(count(), 0);
  EXPECT_EQ(commits, 3) << "the application has to get its turn";
}

TEST_P(SqliteStoreTest, NeverGivesAnIdAgain) {
  insert(3);
  store_.remove(0, std::vector<std::int64_t>{1, 2, 3}, created_at_any_time);
  EXPECT_EQ(application().insert("orders", "next"), 4);
  store_.bury(0, std::vector<DeadRow>{dead_row(4)});
  const tests::SqliteSession later(database_.config.path);
  EXPECT_EQ(later.insert("orders", "next"), 5);
}

TEST_P(SqliteStoreTest, NotesWhatHasConfirmed) {
  insert(2);
  constexpr std::uint64_t all_bits = std::numeric_limits<std::uint64_t>::max();
  store_.set_done(0, std::vector<std::pair<std::int64_t, std::uint64_t>>{{1, 5}, {2, all_bits}, {99, 1}},
                  created_at_any_time);
  const ReadResult result = read_all();
  ASSERT_THAT(result.rows, SizeIs(2));
  EXPECT_EQ(result.rows[0].done, 5U);
  EXPECT_EQ(result.rows[1].done, all_bits);
}

TEST_P(SqliteStoreTest, MovesWholeRowsToTheDeadLetters) {
  application().execute(
      "INSERT INTO action_triggers_outbox (target, body, key, headers, replayed) VALUES ('orders', x'00', x'01', '[]', "
      "2)");
  store_.bury(0, std::vector<DeadRow>{{.id = 1,
                                       .status = "too_large",
                                       .text = "The broker takes 1 MiB.",
                                       .attempts = 4,
                                       .destination = "orders",
                                       .message_id = "derived-1"},
                                      dead_row(99)});
  EXPECT_EQ(count(), 0);
  EXPECT_THAT(
      application().column("SELECT target || destination || status || text || attempts || hex(body) || hex(key) "
                           "|| headers || message_id || replayed || (died_at IS NOT NULL) "
                           "FROM action_triggers_dead_letters"),
      ElementsAre("ordersorderstoo_largeThe broker takes 1 MiB.40001[]derived-121"));
}

TEST_P(SqliteStoreTest, CopiesARowThatOtherTargetsNeed) {
  application().execute(
      "INSERT INTO action_triggers_outbox (target, body, message_id) VALUES ('event:paid', '{}', 'own')");
  store_.bury(0, std::vector<DeadRow>{{.id = 1,
                                       .status = "invalid_argument",
                                       .text = "",
                                       .destination = "mails",
                                       .done = 3,
                                       .is_whole = false,
                                       .message_id = "other",
                                       .replay_done = 5}});
  EXPECT_EQ(application().text("SELECT target || done FROM action_triggers_outbox"), "event:paid3");
  EXPECT_EQ(application().text("SELECT target || destination || done || message_id FROM action_triggers_dead_letters"),
            "event:paidmails5own");
}

// ---------------------------------------------------------------------------------- what the application's SQL may do

TEST_P(SqliteStoreTest, NoConflictClauseOfTheApplicationDropsAnEvent) {
  application().execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, total)");
  application().execute(
      "CREATE TRIGGER capture AFTER INSERT ON orders BEGIN INSERT INTO action_triggers_outbox (target, body, key) "
      "VALUES ('event:orders.insert', NULL, new.total); END");
  for (const std::string clause : {"IGNORE", "REPLACE", "FAIL", "ABORT", "ROLLBACK"}) {
    application().execute("INSERT OR " + clause + " INTO orders (total) VALUES (NULL)");
  }
  EXPECT_EQ(count(), 5);
  EXPECT_THAT(read_all().rows, SizeIs(5));
}

// ------------------------------------------------------------------------------------------------------------- waiting

TEST_P(SqliteStoreTest, WaitEndsWhenSomebodyElseCommits) {
  std::thread writer([&] {
    const tests::SqliteSession other(database_.config.path);
    other.insert("orders", "body");
  });
  EXPECT_TRUE(store_.wait(-1, 1h));
  writer.join();
  EXPECT_EQ(count(), 1);
}

TEST_P(SqliteStoreTest, WaitMissesNothingThatWasCommittedBeforeIt) {
  insert(1);
  EXPECT_TRUE(store_.wait(-1, 1h));
}

TEST_P(SqliteStoreTest, WaitEndsWhenItIsWoken) {
  const WakeFd wake;
  wake.wake();
  EXPECT_FALSE(store_.wait(wake.fd(), 1h));
}

TEST_P(SqliteStoreTest, WaitEndsAfterItsTime) {
  const WakeFd wake;
  EXPECT_FALSE(store_.wait(wake.fd(), 0ms));
  EXPECT_FALSE(store_.wait(wake.fd(), 30ms));
  insert(1);
  store_.remove(0, std::vector<std::int64_t>{1}, created_at_any_time);
  EXPECT_TRUE(store_.wait(-1, 1h));     // of the insertion
  EXPECT_FALSE(store_.wait(-1, 30ms));  // what it did itself wakes nobody
}

// ---------------------------------------------------------------------------------------------------- its connection

TEST_P(SqliteStoreTest, LeavesCheckpointsAndFilesToTheApplication) {
  const auto pragma = [&](const char* name) {
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(store_.connection(), name, -1, &statement, nullptr);
    sqlite3_step(statement);
    const int value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return value;
  };
  constexpr int normal = 1;
  constexpr int full = 2;
  EXPECT_EQ(pragma("PRAGMA wal_autocheckpoint"), 0);
  EXPECT_EQ(pragma("PRAGMA synchronous"), GetParam() == "wal" ? normal : full);
  EXPECT_EQ(application().text("PRAGMA journal_mode"), GetParam());
}

TEST_P(SqliteStoreTest, AChildOfForkLeavesItAlone) {
  insert(2);
  auto store = std::make_unique<SqliteOutboxStore>(database_.config);
  store->reopen();
  const Lease held = store->acquire(0, "one", 10s).value().first;
  EXPECT_EQ(tests::trouble_in_child([&] { store.reset(); }), "");
  store->remove(0, std::vector<std::int64_t>{1}, created_at_any_time);
  EXPECT_THAT(ids_of(store->read({.lease = held, .ids = {{1, last_id}}, .targets = {}})), ElementsAre(2));
  EXPECT_EQ(application().text("PRAGMA integrity_check"), "ok");
}

}  // namespace
}  // namespace action_triggers::detail
