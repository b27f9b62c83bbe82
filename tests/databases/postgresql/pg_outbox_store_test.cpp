// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_outbox_store.hpp"

#include <gmock/gmock.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <limits>
#include <thread>

#include "databases/postgresql/server.hpp"

namespace action_triggers::tests {
namespace {

using namespace std::chrono_literals;
using detail::DeadRow;
using detail::IdRange;
using detail::Lease;
using detail::OutboxRow;
using detail::PgOutboxStore;
using detail::ReadRequest;
using detail::ReadResult;
using detail::ShardNotes;
using detail::StoreError;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

constexpr std::int64_t last_id = std::numeric_limits<std::int64_t>::max();

std::vector<std::int64_t> ids_of(const ReadResult& result) {
  std::vector<std::int64_t> ids;
  for (const OutboxRow& row : result.rows) ids.push_back(row.id);
  return ids;
}

std::vector<std::string> bodies_of(const ReadResult& result) {
  std::vector<std::string> bodies;
  for (const OutboxRow& row : result.rows) bodies.push_back(row.body);
  return bodies;
}

/// The same tests with the server itself, and through PgBouncer in transaction mode.
class PgOutboxStoreTest : public PgOutboxTest, public ::testing::WithParamInterface<bool> {
 protected:
  PgOutboxStoreTest() {
    install();
    if (GetParam()) config.conninfo = Secret(PgServer::bouncer_conninfo());
    store.emplace(config);
    store->reopen();
  }

  void take(std::chrono::milliseconds duration = 1min) { lease = store->acquire(0, "me", duration).value().first; }

  ReadResult read(std::vector<IdRange> ids = {{1, last_id}}, std::size_t limit = 1000) {
    return store->read({.lease = lease, .ids = std::move(ids), .targets = {}, .limit = limit});
  }

  /// As time would, without waiting for it.
  void let_the_lease_expire() { sql("UPDATE " + shards() + " SET expires = clock_timestamp() - interval '1 ms'"); }

  std::optional<PgOutboxStore> store;
  Lease lease;
};

TEST_P(PgOutboxStoreTest, ReopenSaysWhatTheTablesAre) {
  const detail::OutboxInfo info = store->reopen();
  EXPECT_EQ(info.shards, 1);
  EXPECT_EQ(info.outbox_id, sql("SELECT outbox_id FROM " + shards()));
  EXPECT_THAT(info.outbox_id, SizeIs(36));
}

TEST_P(PgOutboxStoreTest, RowsComeBackByteForByte) {
  take();
  sql("INSERT INTO " + outbox() +
      " (target, body, key, message_id, content_type, headers, properties, created_at, done) VALUES"
      " ('event:a.b', '\\x0001ff', '\\xff00', 'an id', 'text/plain', '[[\"a\",  \"\\u0000\"]]', '{\"type\": 1.10}',"
      " '2026-01-02 03:04:05.678901+00', -2)");
  insert(sql, {""});
  const ReadResult result = read();
  ASSERT_THAT(result.rows, SizeIs(2));
  const OutboxRow& row = result.rows[0];
  EXPECT_EQ(row.id, 1);
  EXPECT_EQ(row.shard, 0);
  EXPECT_EQ(row.target, "event:a.b");
  EXPECT_EQ(row.body, std::string("\0\1\xFF", 3));
  EXPECT_EQ(row.key, std::string("\xFF\0", 2));
  EXPECT_EQ(row.message_id, "an id");
  EXPECT_EQ(row.content_type, "text/plain");
  EXPECT_EQ(row.headers, "[[\"a\",  \"\\u0000\"]]");
  EXPECT_EQ(row.properties, "{\"type\": 1.10}");
  const auto second = std::chrono::sys_days(std::chrono::year(2026) / 1 / 2) + 3h + 4min + 5s;
  EXPECT_EQ(row.created_at, second + 678'901us);
  EXPECT_EQ(row.done, std::numeric_limits<std::uint64_t>::max() - 1);
  EXPECT_EQ(result.rows[1].body, "");
  EXPECT_EQ(result.rows[1].key, std::nullopt);
  EXPECT_EQ(result.rows[1].headers, std::nullopt);
}

TEST_P(PgOutboxStoreTest, ReadsTheRangesAskedForInOrder) {
  take();
  insert(sql, {"1", "2", "3", "4", "5", "6", "7", "8"});
  EXPECT_THAT(ids_of(read({{2, 3}, {5, 5}, {7, last_id}})), ElementsAre(2, 3, 5, 7, 8));
  EXPECT_THAT(ids_of(read({})), IsEmpty());
  EXPECT_TRUE(read({}).is_complete);
  EXPECT_THAT(ids_of(read({{9, last_id}})), IsEmpty());
}

TEST_P(PgOutboxStoreTest, ALimitOfRowsLeavesTheRest) {
  take();
  insert(sql, {"1", "2", "3", "4"});
  ReadResult result = read({{1, 1}, {3, last_id}}, 2);
  EXPECT_THAT(ids_of(result), ElementsAre(1, 3));
  EXPECT_FALSE(result.is_complete);
  result = read({{1, 1}, {3, last_id}}, 3);
  EXPECT_THAT(ids_of(result), ElementsAre(1, 3, 4));
  EXPECT_TRUE(result.is_complete);
}

TEST_P(PgOutboxStoreTest, ALimitOfBytesStopsAfterTheRowThatReachesIt) {
  take();
  const std::string body(2994, 'x');  // 3,000 bytes with the target
  insert(sql, {body, body, body, body});
  ReadRequest request{.lease = lease, .ids = {{1, last_id}}, .targets = {}, .limit = 1000, .most_bytes = 6001};
  ReadResult result = store->read(request);
  EXPECT_THAT(ids_of(result), ElementsAre(1, 2, 3));
  EXPECT_FALSE(result.is_complete);
  request.most_bytes = 1;
  EXPECT_THAT(ids_of(store->read(request)), ElementsAre(1));
  request.most_bytes = 12'001;
  result = store->read(request);
  EXPECT_THAT(ids_of(result), ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(result.is_complete);
}

TEST_P(PgOutboxStoreTest, AllColumnsCountAsBytes) {
  take();
  for (const char* column : {"key", "message_id", "content_type", "headers", "properties", "target"}) {
    const bool is_json = column == std::string("headers") || column == std::string("properties");
    const std::string value = is_json ? "to_json(repeat('x', 3000))" : "repeat('x', 3000)";
    const std::string bytes = column == std::string("key") ? "convert_to(" + value + ", 'UTF8')" : value;
    const bool is_target = column == std::string("target");
    sql("TRUNCATE " + outbox() + " RESTART IDENTITY");
    sql("INSERT INTO " + outbox() + (is_target ? " (target, body)" : " (target, body, " + std::string(column) + ")") +
        " SELECT " + (is_target ? bytes + ", ''" : "'orders', '', " + bytes) + " FROM generate_series(1, 4)");
    const ReadResult result = store->read({.lease = lease, .ids = {{1, last_id}}, .targets = {}, .most_bytes = 6100});
    EXPECT_THAT(ids_of(result), ElementsAre(1, 2, 3)) << column;
    EXPECT_FALSE(result.is_complete) << column;
  }
}

TEST_P(PgOutboxStoreTest, ReadsTheTargetsAskedFor) {
  take();
  insert(sql, {"1"}, "a");
  insert(sql, {"2"}, "b");
  insert(sql, {"3"}, "event:c");
  ReadRequest request{.lease = lease, .ids = {{1, last_id}}, .targets = {"a", "event:c", "o'x"}};
  EXPECT_THAT(ids_of(store->read(request)), ElementsAre(1, 3));
  EXPECT_TRUE(store->read(request).is_complete);
}

TEST_P(PgOutboxStoreTest, OneOwnerAtATime) {
  take();
  EXPECT_EQ(lease.epoch, 1);
  PgOutboxStore other(config);
  other.reopen();
  EXPECT_EQ(other.acquire(0, "other", 1min), std::nullopt);
  let_the_lease_expire();
  const auto taken = other.acquire(0, "other", 1min);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->first.epoch, 2);
  EXPECT_EQ(taken->second.deaths, 1);
  insert(sql, {"1"});
  EXPECT_FALSE(read().lease_is_held);
  EXPECT_THAT(read().rows, IsEmpty());
  EXPECT_FALSE(read().is_complete);
  EXPECT_FALSE(store->renew(lease, 1min, {}));
  EXPECT_EQ(store->acquire(0, "me", 1min), std::nullopt);
}

/// Somebody has emptied all tables, say.
TEST_P(PgOutboxStoreTest, AShardThatDoesNotExistIsAnError) {
  EXPECT_THAT([this] { (void)store->acquire(7, "me", 1min); },
              ThrowsMessage<StoreError>(HasSubstr("has no row for shard 7; run action-triggers outbox install FILE")));
}

TEST_P(PgOutboxStoreTest, AnExpiredLeaseReadsNothingUntilItIsRenewed) {
  take();
  insert(sql, {"1"});
  let_the_lease_expire();
  EXPECT_FALSE(read().lease_is_held);
  EXPECT_TRUE(store->renew(lease, 1min, {}));  // nobody has taken it
  EXPECT_THAT(ids_of(read()), ElementsAre(1));
}

TEST_P(PgOutboxStoreTest, AnOwnerWhoseAnswerWasLostTakesItAgain) {
  take();
  const auto again = store->acquire(0, "me", 1min);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->first.epoch, 2);
  EXPECT_EQ(again->second.deaths, 0);
  EXPECT_FALSE(read().lease_is_held);  // with the first one
}

TEST_P(PgOutboxStoreTest, NotesPassFromOwnerToOwner) {
  take();
  EXPECT_TRUE(store->renew(lease, 1min, {.low = 41, .head = 42, .deaths = 2}));
  let_the_lease_expire();
  auto taken = store->acquire(0, "next", 1min);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->second.low, 41);
  EXPECT_EQ(taken->second.head, -42) << "not sent by this owner yet";
  EXPECT_EQ(taken->second.deaths, 3);
  let_the_lease_expire();
  taken = store->acquire(0, "next but one", 1min);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->second.head, -42);
  EXPECT_EQ(taken->second.deaths, 3) << "nobody has died of it";
  store->release(taken->first, {.low = 50, .head = std::nullopt, .deaths = 0});
  taken = store->acquire(0, "third", 1min);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->second.low, 50);
  EXPECT_EQ(taken->second.head, std::nullopt);
  EXPECT_EQ(taken->second.deaths, 0);
}

TEST_P(PgOutboxStoreTest, ALostLeaseReleasesNothing) {
  take();
  let_the_lease_expire();
  const auto other = store->acquire(0, "other", 1min);
  ASSERT_TRUE(other);
  store->release(lease, {.low = 99, .head = std::nullopt});
  EXPECT_TRUE(store->renew(other->first, 1min, {}));
}

TEST_P(PgOutboxStoreTest, OnlyTheDatabasesClockCounts) {
  take(10s);
  const double left = std::stod(sql("SELECT extract(epoch FROM expires - clock_timestamp()) FROM " + shards()));
  EXPECT_GT(left, 0);
  EXPECT_LE(left, 10);
  EXPECT_EQ(sql("SELECT place FROM " + shards() + " WHERE place LIKE '%:" + std::to_string(getpid()) + "'").empty(),
            false);
}

TEST_P(PgOutboxStoreTest, RemovedRowsAreGoneAndOthersStay) {
  take();
  insert(sql, {"1", "2", "3"});
  const std::array<std::int64_t, 3> ids{1, 3, 77};
  store->remove(0, ids, detail::created_at_any_time);
  store->remove(0, ids, detail::created_at_any_time);
  store->remove(1, std::array<std::int64_t, 1>{2}, detail::created_at_any_time);
  store->remove(0, {}, detail::created_at_any_time);
  EXPECT_THAT(ids_of(read()), ElementsAre(2));
}

/// After a crash that took back the last transactions, on a replica that was behind, after TRUNCATE … RESTART IDENTITY.
TEST_P(PgOutboxStoreTest, ANewRowWithAnOldIdIsNotMeant) {
  take();
  insert(sql, {"old", "old too"});
  detail::CreatedBetween created;
  for (const OutboxRow& row : read().rows) created.add(row.created_at);
  const std::array<DeadRow, 1> dead{DeadRow{.id = 2,
                                            .created_at = created.last,
                                            .status = "s",
                                            .text = "",
                                            .attempts = 1,
                                            .destination = "d",
                                            .message_id = "m"}};
  sql("TRUNCATE " + outbox() + " RESTART IDENTITY");
  insert(sql, {"new", "new too"});
  const std::array<std::int64_t, 2> ids{1, 2};
  store->remove(0, ids, created);
  store->set_done(0, std::array<std::pair<std::int64_t, std::uint64_t>, 1>{{{1, 1}}}, created);
  store->bury(0, dead);
  const ReadResult result = read();
  ASSERT_THAT(bodies_of(result), ElementsAre("new", "new too"));
  EXPECT_EQ(result.rows[0].done, 0U);
  EXPECT_EQ(sql("SELECT count(*) FROM " + dead_letters()), "0");
}

TEST_P(PgOutboxStoreTest, RowsOfAllTimesAreRemoved) {
  take();
  sql("INSERT INTO " + outbox() +
      " (target, body, created_at) VALUES ('a', '', '-infinity'), ('a', '', 'infinity'),"
      " ('a', '', '0044-03-15 BC')");
  for (const OutboxRow& row : read().rows) {
    store->remove(0, std::array<std::int64_t, 1>{row.id}, {row.created_at, row.created_at});
  }
  EXPECT_THAT(ids_of(read()), IsEmpty());
}

TEST_P(PgOutboxStoreTest, DoneIsKept) {
  take();
  insert(sql, {"1", "2", "3"});
  const std::uint64_t high = 0xFFFF000000000001U;
  const std::array<std::pair<std::int64_t, std::uint64_t>, 3> done{{{1, high}, {3, 5}, {99, 1}}};
  store->set_done(0, done, detail::created_at_any_time);
  const ReadResult result = read();
  ASSERT_THAT(result.rows, SizeIs(3));
  EXPECT_EQ(result.rows[0].done, high);
  EXPECT_EQ(result.rows[1].done, 0U);
  EXPECT_EQ(result.rows[2].done, 5U);
}

TEST_P(PgOutboxStoreTest, DeadRowsMove) {
  take();
  sql("INSERT INTO " + outbox() +
      " (target, body, key, message_id, content_type, headers, properties) VALUES"
      " ('orders', '\\x00ff', '\\x01', 'own', 'a/b', '[]', '{}'), ('orders', 'second', NULL, '', NULL, NULL, NULL)");  // '' is no id, either
  insert(sql, {"stays"});
  const std::array<DeadRow, 3> rows{DeadRow{.id = 1,
                                            .created_at = created_at(1),
                                            .status = "too_large",
                                            .text = std::string("no \0\xFF", 5),
                                            .attempts = 3,
                                            .destination = "orders",
                                            .message_id = "ignored"},
                                    DeadRow{.id = 2,
                                            .created_at = created_at(2),
                                            .status = "poisoned",
                                            .text = "",
                                            .attempts = 4'000'000'000,
                                            .destination = "orders",
                                            .message_id = "derived"},
                                    DeadRow{.id = 99,
                                            .created_at = created_at(99),
                                            .status = "x",
                                            .text = "",
                                            .attempts = 1,
                                            .destination = "gone already",
                                            .message_id = ""}};
  store->bury(0, rows);
  EXPECT_THAT(sql.rows("SELECT shard, target, body, key, message_id, content_type, headers, properties, done,"
                       " destination, status, text, attempts, replayed FROM " +
                       dead_letters() + " ORDER BY id"),
              ElementsAre("0|orders|\\x00ff|\\x01|own|a/b|[]|{}|0|orders|too_large|no ??|3|0",
                          "0|orders|\\x7365636f6e64||derived||||0|orders|poisoned||2147483647|0"));
  EXPECT_THAT(bodies_of(read()), ElementsAre("stays"));
  store->bury(0, rows);  // a second time there is nothing to move
  EXPECT_EQ(sql("SELECT count(*) FROM " + dead_letters()), "2");
}

TEST_P(PgOutboxStoreTest, AnEventKeepsItsRowForOtherTargets) {
  take();
  insert(sql, {"{}"}, "event:a");
  insert(sql, {"{}"}, "event:b");
  const std::array<DeadRow, 3> rows{DeadRow{.id = 1,
                                            .created_at = created_at(1),
                                            .status = "too_large",
                                            .text = "",
                                            .attempts = 1,
                                            .destination = "x",
                                            .done = 1,
                                            .is_whole = false,
                                            .message_id = "m",
                                            .replay_done = 6},
                                    DeadRow{.id = 2,
                                            .created_at = created_at(2),
                                            .status = "too_large",
                                            .text = "",
                                            .attempts = 1,
                                            .destination = "x",
                                            .done = 1,
                                            .is_whole = false,
                                            .message_id = "m",
                                            .replay_done = 2},
                                    DeadRow{.id = 2,
                                            .created_at = created_at(2),
                                            .status = "too_large",
                                            .text = "",
                                            .attempts = 1,
                                            .destination = "y",
                                            .done = 3,
                                            .is_whole = true,
                                            .message_id = "m",
                                            .replay_done = 1}};
  store->bury(0, rows);
  const ReadResult result = read();
  ASSERT_THAT(ids_of(result), ElementsAre(1));
  EXPECT_EQ(result.rows[0].done, 1U);
  EXPECT_THAT(sql.rows("SELECT target, destination, done FROM " + dead_letters() + " ORDER BY id"),
              ElementsAre("event:a|x|6", "event:b|x|2", "event:b|y|1"));
}

TEST_P(PgOutboxStoreTest, LateCommitsAreSeenBelowTheCursor) {
  take();
  Sql slow;
  Sql fast;
  slow("BEGIN");
  insert(slow, {"slow"});
  fast("BEGIN");
  insert(fast, {"fast"});
  const std::uint64_t xid_of_slow = std::stoull(slow("SELECT pg_current_xact_id()"));
  fast("COMMIT");
  const ReadResult first = read();
  EXPECT_THAT(bodies_of(first), ElementsAre("fast"));
  EXPECT_EQ(first.rows[0].id, 2);
  EXPECT_LE(first.horizon.oldest_open, xid_of_slow);  // so the gap, id 1, may still be filled
  EXPECT_GT(first.horizon.next, xid_of_slow);
  slow("COMMIT");
  const ReadResult second = read({{1, 1}});
  EXPECT_THAT(bodies_of(second), ElementsAre("slow"));
  EXPECT_GE(second.horizon.oldest_open, first.horizon.next);  // and now by nobody
}

TEST_P(PgOutboxStoreTest, AForeignTransactionHoldsTheHorizonAndNothingElse) {
  take();
  Sql foreign;
  foreign("BEGIN");
  const std::uint64_t xid = std::stoull(foreign("SELECT pg_current_xact_id()"));
  for (int i = 1; i <= 3; ++i) {
    insert(sql, {"x"});
    const ReadResult result = read({{i, last_id}});
    EXPECT_THAT(result.rows, SizeIs(1));
    EXPECT_LE(result.horizon.oldest_open, xid);
  }
  foreign("ROLLBACK");
  EXPECT_GT(read().horizon.oldest_open, xid);
}

TEST_P(PgOutboxStoreTest, TheHorizonIsThereWithoutRows) {
  take();
  const ReadResult result = read();
  EXPECT_GT(result.horizon.oldest_open, 0U);
  EXPECT_GE(result.horizon.next, result.horizon.oldest_open);
  EXPECT_TRUE(result.lease_is_held);
}

TEST_P(PgOutboxStoreTest, RemovalsDoNotWaitForTheDiskAndBurialsDo) {
  take();
  // What a transaction's commit will do is seen by a trigger in it.
  sql("CREATE TABLE " + config.schema + ".seen (setting text)");
  sql("CREATE FUNCTION " + config.schema + ".see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO " +
      config.schema + ".seen VALUES (TG_OP || current_setting(''synchronous_commit'')); RETURN NULL; END'");
  sql("CREATE TRIGGER see AFTER UPDATE OR DELETE ON " + outbox() + " FOR EACH STATEMENT EXECUTE FUNCTION " +
      config.schema + ".see()");
  insert(sql, {"1", "2", "3"});
  store->remove(0, std::array<std::int64_t, 1>{1}, detail::created_at_any_time);
  store->set_done(0, std::array<std::pair<std::int64_t, std::uint64_t>, 1>{{{2, 1}}}, detail::created_at_any_time);
  const std::array<DeadRow, 1> dead{DeadRow{.id = 2,
                                            .created_at = created_at(2),
                                            .status = "s",
                                            .text = "",
                                            .attempts = 1,
                                            .destination = "d",
                                            .message_id = ""}};
  store->bury(0, dead);
  EXPECT_THAT(sql.rows("SELECT DISTINCT setting FROM " + config.schema + ".seen ORDER BY 1"),
              ElementsAre("DELETEoff", "DELETEon", "UPDATEoff", "UPDATEon"));
}

TEST_P(PgOutboxStoreTest, AStricterIsolationLevelChangesNothing) {
  sql("CREATE ROLE strict_" + config.schema + " LOGIN SUPERUSER PASSWORD 'x'");
  sql("ALTER ROLE strict_" + config.schema + " SET default_transaction_isolation = 'serializable'");
  config.conninfo = Secret(PgServer::conninfo() + "?user=strict_" + config.schema + "&password=x");
  {
    PgOutboxStore strict(config);
    strict.reopen();
    EXPECT_EQ(sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'strict_" + config.schema + "'"), "1");
    const auto taken = strict.acquire(0, "me", 1min);
    ASSERT_TRUE(taken);
    insert(sql, {"1"});
    EXPECT_THAT(strict.read({.lease = taken->first, .ids = {{1, last_id}}, .targets = {}}).rows, SizeIs(1));
    EXPECT_TRUE(strict.renew(taken->first, 1min, {}));
  }
  sql("DROP ROLE strict_" + config.schema);
}

TEST_P(PgOutboxStoreTest, WaitEndsWhenItIsWoken) {
  const int fd = eventfd(1, EFD_CLOEXEC);
  EXPECT_FALSE(store->wait(fd, 1h));
  close(fd);
}

INSTANTIATE_TEST_SUITE_P(, PgOutboxStoreTest, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "ThroughPgBouncer" : "Direct"; });

class PgNotifyTest : public PgOutboxTest {};

TEST_F(PgNotifyTest, WaitEndsWhenAnotherProcessHasCommitted) {
  install();
  config.notify = detail::OutboxNotify::after_commit;
  PgOutboxStore store(config);
  store.reopen();
  sql("NOTIFY action_triggers_outbox");
  EXPECT_TRUE(store.wait(-1, 1h));
  // One that came in the middle of another call counts as well.
  sql("NOTIFY action_triggers_outbox");
  ASSERT_TRUE(store.acquire(0, "me", 1min));
  ASSERT_FALSE(store.acquire(0, "other", 1min));
  EXPECT_TRUE(store.wait(-1, 1h));
}

}  // namespace
}  // namespace action_triggers::tests
