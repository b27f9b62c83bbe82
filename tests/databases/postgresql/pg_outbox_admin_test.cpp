// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_outbox_admin.hpp"

#include <gmock/gmock.h>

#include <thread>

#include "databases/postgresql/pg_outbox_store.hpp"
#include "databases/postgresql/postgresql_driver.hpp"
#include "databases/postgresql/server.hpp"

namespace action_triggers::tests {
namespace {

using namespace std::chrono_literals;
using detail::DeadFilter;
using detail::DeadLetter;
using detail::DeadRow;
using detail::OutboxState;
using detail::PgOutboxAdmin;
using detail::PgOutboxStore;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PgOutboxAdminTest : public PgOutboxTest {
 protected:
  PgOutboxAdminTest() {
    install();
    admin.emplace(config);
  }

  /// Dead letters 1 to `count`, of rows with the bodies "1", "2", …
  void bury(int count, const std::string& destination = "orders") {
    PgOutboxStore store(config);
    store.reopen();
    std::vector<DeadRow> rows;
    for (int i = 1; i <= count; ++i) {
      const std::int64_t id =
          std::stoll(sql("INSERT INTO " + outbox() + " (target, body, key) VALUES ('" + destination + "', '" +
                         std::to_string(i) + "', 'key " + std::to_string(i % 2) + "') RETURNING id"));
      rows.push_back({.id = id,
                      .created_at = created_at(id),
                      .status = i % 2 == 0 ? "too_large" : "poisoned",
                      .text = "text " + std::to_string(i),
                      .attempts = 2,
                      .destination = destination,
                      .message_id = "id " + std::to_string(i)});
    }
    store.bury(0, rows);
  }

  std::vector<std::int64_t> ids(const DeadFilter& filter) {
    std::vector<std::int64_t> found;
    for (const DeadLetter& letter : admin->dead(filter)) found.push_back(letter.id);
    return found;
  }

  std::optional<PgOutboxAdmin> admin;
};

TEST_F(PgOutboxAdminTest, AllOfALetterIsShown) {
  bury(1);
  const std::vector<DeadLetter> letters = admin->dead({});
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].id, 1);
  EXPECT_EQ(letters[0].target, "orders");
  EXPECT_EQ(letters[0].destination, "orders");
  EXPECT_EQ(letters[0].body, "1");
  EXPECT_EQ(letters[0].key, "key 1");
  EXPECT_EQ(letters[0].message_id, "id 1");
  EXPECT_EQ(letters[0].status, "poisoned");
  EXPECT_EQ(letters[0].text, "text 1");
  EXPECT_EQ(letters[0].attempts, 2U);
  EXPECT_EQ(letters[0].replayed, 0U);
  EXPECT_GE(letters[0].died_at, letters[0].created_at);
}

TEST_F(PgOutboxAdminTest, FiltersOfLetters) {
  bury(4);
  bury(1, "mails");
  EXPECT_THAT(ids({}), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(ids({.destination = "mails"}), ElementsAre(5));
  EXPECT_THAT(ids({.status = "too_large"}), ElementsAre(2, 4));
  EXPECT_THAT(ids({.key = "key 1"}), ElementsAre(1, 3, 5));
  EXPECT_THAT(ids({.text = "xt 3"}), ElementsAre(3));
  EXPECT_THAT(ids({.text = "%"}), IsEmpty());
  EXPECT_THAT(ids({.older_than = 1h}), IsEmpty());
  sql("UPDATE " + dead_letters() + " SET died_at = died_at - interval '2 h' WHERE id = 2");
  EXPECT_THAT(ids({.older_than = 1h}), ElementsAre(2));
  EXPECT_THAT(ids({.id = 4}), ElementsAre(4));
  EXPECT_THAT(ids({.up_to_id = 2}), ElementsAre(1, 2));
  EXPECT_THAT(ids({.limit = 3}), ElementsAre(1, 2, 3));
  EXPECT_THAT(ids({.destination = "orders", .status = "poisoned", .limit = 1}), ElementsAre(1));
  EXPECT_EQ(admin->count_dead({.status = "too_large"}), 2U);
}

TEST_F(PgOutboxAdminTest, ReplayMovesTheOldestWithTheirIds) {
  bury(4);
  EXPECT_EQ(admin->replay({.up_to_id = 3, .limit = 2}), 2U);
  EXPECT_EQ(admin->replay({.up_to_id = 3, .limit = 2}), 1U);
  EXPECT_EQ(admin->replay({.up_to_id = 3, .limit = 2}), 0U);
  EXPECT_THAT(ids({}), ElementsAre(4));
  EXPECT_THAT(
      sql.rows("SELECT target, convert_from(body, 'UTF8'), convert_from(key, 'UTF8'), message_id, done, replayed"
               " FROM " +
               outbox() + " ORDER BY id"),
      ElementsAre("orders|1|key 1|id 1|0|1", "orders|2|key 0|id 2|0|1", "orders|3|key 1|id 3|0|1"));
}

/// A template may say when an event happened.
TEST_F(PgOutboxAdminTest, AReplayedRowIsAsOldAsItWas) {
  bury(1);
  const std::string before = sql("SELECT created_at FROM " + dead_letters());
  admin->replay({});
  EXPECT_EQ(sql("SELECT created_at FROM " + outbox()), before);
}

TEST_F(PgOutboxAdminTest, AReplayedLetterThatDiesAgainIsCounted) {
  bury(1);
  ASSERT_EQ(admin->replay({}), 1U);
  PgOutboxStore store(config);
  store.reopen();
  const std::int64_t id = std::stoll(sql("SELECT id FROM " + outbox()));
  const std::array<DeadRow, 1> again{DeadRow{.id = id,
                                             .created_at = created_at(id),
                                             .status = "too_large",
                                             .text = "",
                                             .attempts = 1,
                                             .destination = "orders",
                                             .message_id = "another"}};
  store.bury(0, again);
  const std::vector<DeadLetter> letters = admin->dead({});
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].replayed, 1U);
  EXPECT_EQ(letters[0].message_id, "id 1");
}

TEST_F(PgOutboxAdminTest, AReplayOfAnEventIsForTheTargetThatFailed) {
  insert(sql, {"{}"}, "event:paid");
  PgOutboxStore store(config);
  store.reopen();
  const std::array<DeadRow, 1> dead{DeadRow{.id = 1,
                                            .created_at = created_at(1),
                                            .status = "s",
                                            .text = "",
                                            .attempts = 1,
                                            .destination = "b",
                                            .done = 7,
                                            .message_id = "m",
                                            .replay_done = 5}};
  store.bury(0, dead);
  admin->replay({});
  EXPECT_EQ(sql("SELECT target, done, message_id FROM " + outbox()), "event:paid|5|m");
}

TEST_F(PgOutboxAdminTest, TwoReplaysAtOnceMoveEachLetterOnce) {
  bury(50);
  std::vector<std::thread> threads;
  std::atomic<std::uint64_t> moved = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      PgOutboxAdmin mine(config);
      while (const std::uint64_t count = mine.replay({.limit = 3})) moved += count;
    });
  }
  for (std::thread& thread : threads) thread.join();
  moved += admin->replay({});  // what the others passed over, since it was locked at that moment
  EXPECT_EQ(moved, 50U);
  EXPECT_EQ(sql("SELECT count(DISTINCT message_id), count(*) FROM " + outbox()), "50|50");
}

TEST_F(PgOutboxAdminTest, DropRemovesThem) {
  bury(4);
  EXPECT_EQ(admin->drop({.status = "too_large", .limit = 1}), 1U);
  EXPECT_THAT(ids({}), ElementsAre(1, 3, 4));
  EXPECT_EQ(admin->drop({}), 3U);
  EXPECT_EQ(admin->count_dead({}), 0U);
  EXPECT_EQ(sql("SELECT count(*) FROM " + outbox()), "0");
}

TEST_F(PgOutboxAdminTest, StateSaysWhoOwnsWhat) {
  insert(sql, {"1", "2"}, "a");
  insert(sql, {"3"}, "b");
  sql("UPDATE " + outbox() + " SET created_at = clock_timestamp() - interval '1 h' WHERE id = 1");
  bury(2);
  OutboxState state = admin->state();
  ASSERT_THAT(state.shards, SizeIs(1));
  EXPECT_EQ(state.shards[0].owner, "");
  EXPECT_EQ(state.shards[0].expires_in, std::nullopt);
  EXPECT_EQ(state.shards[0].rows, 3U);
  EXPECT_GE(state.shards[0].oldest_age, 1h);
  ASSERT_THAT(state.targets, SizeIs(2));
  EXPECT_EQ(state.targets[0].target, "a");
  EXPECT_EQ(state.targets[0].rows, 2U);
  EXPECT_EQ(state.dead, 2U);
  EXPECT_THAT(state.warnings, IsEmpty());

  PgOutboxStore store(config);
  store.reopen();
  ASSERT_TRUE(store.acquire(0, "me", 1min));
  state = admin->state();
  EXPECT_EQ(state.shards[0].owner, "me");
  EXPECT_THAT(state.shards[0].place, HasSubstr(":"));
  EXPECT_EQ(state.shards[0].epoch, 1);
  EXPECT_GT(state.shards[0].expires_in, 0ms);
}

TEST_F(PgOutboxAdminTest, AnOldTransactionIsNamed) {
  Sql old;
  old("BEGIN");
  old("SELECT pg_current_xact_id()");
  const std::string pid = old("SELECT pg_backend_pid()");
  PgOutboxAdmin strict(config, 0s);
  EXPECT_THAT(strict.state().warnings,
              ::testing::Contains(::testing::AllOf(HasSubstr("process " + pid), HasSubstr("pg_terminate_backend"))));
}

TEST_F(PgOutboxAdminTest, TheDriverHasItAll) {
  const detail::OutboxDriver& driver = detail::postgresql_driver();
  EXPECT_EQ(driver.name, "postgresql");
  EXPECT_THAT(driver.schema(config), HasSubstr("CREATE TABLE"));
  EXPECT_THAT(driver.insert_statement(config), HasSubstr("$7"));
  EXPECT_EQ(driver.store(config)->reopen().shards, 1);
  EXPECT_THAT(driver.admin(config)->verify(), IsEmpty());
}

}  // namespace
}  // namespace action_triggers::tests
