// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_admin.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "databases/sqlite/sqlite_driver.hpp"
#include "databases/sqlite/sqlite_store.hpp"
#include "sqlite_database.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A filter that asks for one thing more.
template <class Member, class Value>
DeadFilter with(Member DeadFilter::*member, Value value, DeadFilter filter = {}) {
  filter.*member = value;
  return filter;
}

class SqliteAdminTest : public ::testing::Test {
 protected:
  SqliteAdminTest() : admin_(database_.config), store_(database_.config) { store_.reopen(); }

  const tests::SqliteSession& application() const { return database_.application; }
  /// Inserts a row and gives it up; the letter's id is the row's if nothing else is done.
  void bury(const std::string& target, const std::string& status, const std::string& text,
            const std::string& key = "k") {
    application().execute("INSERT INTO action_triggers_outbox (target, body, key) VALUES ('" + target + "', 'body', '" +
                          key + "')");
    DeadRow row;
    row.id = sqlite3_last_insert_rowid(application().get());
    row.status = status;
    row.text = text;
    row.attempts = 3;
    row.destination = target;
    row.message_id = "derived-" + std::to_string(row.id);
    store_.bury(0, std::vector<DeadRow>{row});
  }
  std::vector<std::int64_t> found(const DeadFilter& filter) {
    std::vector<std::int64_t> ids;
    for (const DeadLetter& letter : admin_.dead(filter)) ids.push_back(letter.id);
    EXPECT_EQ(admin_.count_dead(filter), ids.size());
    return ids;
  }

  tests::SqliteDatabase database_;
  SqliteOutboxAdmin admin_;
  SqliteOutboxStore store_;
};

TEST_F(SqliteAdminTest, InstallsIntoAnEmptyFile) {
  const OutboxConfig config = tests::sqlite_config(database_.folder.file("new.db"));
  std::ofstream(config.path).close();
  SqliteOutboxAdmin admin(config);
  EXPECT_THAT(admin.verify(), SizeIs(3));
  admin.install();
  EXPECT_THAT(admin.verify(), IsEmpty());
  admin.install();
  EXPECT_THAT(admin.verify(), IsEmpty());
}

TEST_F(SqliteAdminTest, InstallChangesNothingWhereOtherTablesAre) {
  application().execute("DROP TABLE action_triggers_shards");
  application().execute("ALTER TABLE action_triggers_outbox DROP COLUMN done");
  try {
    admin_.install();
    FAIL();
  } catch (const StoreError& error) {
    EXPECT_THAT(error.what(), HasSubstr("has no column 'done'"));
  }
  EXPECT_EQ(application().number("SELECT count(*) FROM sqlite_master WHERE name = 'action_triggers_shards'"), 0);
}

TEST_F(SqliteAdminTest, SaysWhatIsThere) {
  application().insert("orders", "1");
  application().insert("mails", "2");
  application().insert("orders", "3");
  bury("orders", "too_large", "");
  OutboxState state = admin_.state();
  ASSERT_THAT(state.shards, SizeIs(1));
  EXPECT_EQ(state.shards[0].owner, "");
  EXPECT_FALSE(state.shards[0].expires_in);
  EXPECT_EQ(state.shards[0].rows, 3U);
  ASSERT_TRUE(state.shards[0].oldest_age);
  EXPECT_GE(*state.shards[0].oldest_age, -1ms);
  EXPECT_LT(*state.shards[0].oldest_age, 1min);
  ASSERT_THAT(state.targets, SizeIs(2));
  EXPECT_EQ(state.targets[0].target, "mails");
  EXPECT_EQ(state.targets[1].rows, 2U);
  EXPECT_EQ(state.dead, 1U);

  const Lease lease = store_.acquire(0, "me", 10s).value().first;
  store_.remove(0, std::vector<std::int64_t>{1, 2, 3}, created_at_any_time);
  state = admin_.state();
  EXPECT_EQ(state.shards[0].owner, "me");
  EXPECT_THAT(state.shards[0].place, HasSubstr(":" + std::to_string(::getpid())));
  EXPECT_EQ(state.shards[0].epoch, lease.epoch);
  ASSERT_TRUE(state.shards[0].expires_in);
  EXPECT_LE(*state.shards[0].expires_in, 10s + 1ms);
  EXPECT_FALSE(state.shards[0].oldest_age);
  EXPECT_EQ(state.shards[0].rows, 0U);
}

TEST_F(SqliteAdminTest, WarnsOfTheBugOfOldLibraries) {
  EXPECT_THAT(wal_reset_warning(3'040'001), HasSubstr("SQLite 3.40.1 has the WAL-reset bug"));
  EXPECT_THAT(wal_reset_warning(3'051'002), HasSubstr("3.51.2"));
  EXPECT_EQ(wal_reset_warning(3'051'003), "");
  const bool is_old = !wal_reset_warning(sqlite3_libversion_number()).empty();
  EXPECT_THAT(admin_.state().warnings, SizeIs(is_old ? 1 : 0));
  const tests::SqliteDatabase other("delete");
  EXPECT_THAT(SqliteOutboxAdmin(other.config).state().warnings, IsEmpty()) << "there is no such log";
}

TEST_F(SqliteAdminTest, FindsDeadLetters) {
  bury("orders", "too_large", "The broker takes 1 MiB.");
  bury("orders", "invalid_argument", "No key.", "other");
  bury("mails", "too_large", "2 MiB is too much.");
  EXPECT_THAT(found({}), ElementsAre(1, 2, 3));
  EXPECT_THAT(found(with(&DeadFilter::destination, "orders")), ElementsAre(1, 2));
  EXPECT_THAT(found(with(&DeadFilter::status, "too_large")), ElementsAre(1, 3));
  EXPECT_THAT(found(with(&DeadFilter::key, "other")), ElementsAre(2));
  EXPECT_THAT(found(with(&DeadFilter::text, "MiB")), ElementsAre(1, 3));
  EXPECT_THAT(found(with(&DeadFilter::text, "mib")), IsEmpty());
  EXPECT_THAT(found(with(&DeadFilter::id, 2)), ElementsAre(2));
  EXPECT_THAT(found(with(&DeadFilter::up_to_id, 2)), ElementsAre(1, 2));
  EXPECT_THAT(found(with(&DeadFilter::limit, 2U)), ElementsAre(1, 2));
  EXPECT_THAT(found(with(&DeadFilter::status, "too_large", with(&DeadFilter::destination, "orders"))), ElementsAre(1));
  EXPECT_THAT(found(with(&DeadFilter::older_than, 1h)), IsEmpty());
  application().execute("UPDATE action_triggers_dead_letters SET died_at = died_at - 1 WHERE id = 2");
  EXPECT_THAT(found(with(&DeadFilter::older_than, 1h)), ElementsAre(2));
}

TEST_F(SqliteAdminTest, ADeadLetterIsTheWholeMessage) {
  application().execute(
      "INSERT INTO action_triggers_outbox (target, body, key, message_id, content_type, headers, properties, replayed) "
      "VALUES ('orders', x'00FF', x'01', 'own', 'text/plain', '[]', '{}', 1)");
  DeadRow row;
  row.id = 1;
  row.status = "too_large";
  row.text = "why";
  row.attempts = 7;
  row.destination = "orders";
  row.message_id = "own";
  row.replay_done = 9;
  store_.bury(0, std::vector<DeadRow>{row});
  const auto letters = admin_.dead({});
  ASSERT_THAT(letters, SizeIs(1));
  const DeadLetter& letter = letters.front();
  EXPECT_EQ(letter.target, "orders");
  EXPECT_EQ(letter.body, std::string("\0\xFF", 2));
  EXPECT_EQ(letter.key, "\x01");
  EXPECT_EQ(letter.message_id, "own");
  EXPECT_EQ(letter.content_type, "text/plain");
  EXPECT_EQ(letter.headers, "[]");
  EXPECT_EQ(letter.properties, "{}");
  EXPECT_EQ(letter.done, 9U);
  EXPECT_EQ(letter.destination, "orders");
  EXPECT_EQ(letter.status, "too_large");
  EXPECT_EQ(letter.text, "why");
  EXPECT_EQ(letter.attempts, 7U);
  EXPECT_EQ(letter.replayed, 1U);
  EXPECT_LT(std::chrono::abs(letter.died_at - std::chrono::system_clock::now()), 1min);
}

TEST_F(SqliteAdminTest, ReplaysTheOldestInTheirOrderAndWithTheirIds) {
  bury("orders", "too_large", "1");
  bury("mails", "too_large", "2");
  bury("orders", "too_large", "3");
  bury("orders", "too_large", "4");
  EXPECT_EQ(admin_.replay(with(&DeadFilter::limit, 2U, with(&DeadFilter::destination, "orders"))), 2U);
  EXPECT_THAT(application().column("SELECT message_id || ' ' || replayed FROM action_triggers_outbox ORDER BY id"),
              ElementsAre("derived-1 1", "derived-3 1"));
  EXPECT_THAT(found({}), ElementsAre(2, 4));
  EXPECT_EQ(application().number("SELECT min(id) FROM action_triggers_outbox"), 5) << "new ids, at the end";

  EXPECT_EQ(admin_.replay(with(&DeadFilter::id, 1)), 0U) << "twice is once";
  EXPECT_EQ(admin_.replay(with(&DeadFilter::up_to_id, 2)), 1U);
  DeadRow again;
  again.id = 5;
  again.status = "too_large";
  again.destination = "orders";
  store_.bury(0, std::vector<DeadRow>{again});
  const auto letters = admin_.dead(with(&DeadFilter::limit, 9U, with(&DeadFilter::status, "too_large")));
  ASSERT_THAT(letters, SizeIs(2));
  EXPECT_EQ(letters[1].replayed, 1U);
  EXPECT_EQ(letters[1].message_id, "derived-1");
  EXPECT_GT(letters[1].id, 4) << "a letter's id is never given again";
}

/// Time passes between two statements.
TEST_F(SqliteAdminTest, RemovesOnlyTheLettersThatItReplays) {
  bury("orders", "too_large", "1");
  bury("orders", "too_large", "2");
  application().execute("UPDATE action_triggers_dead_letters SET died_at = died_at - 1 WHERE id = 1");
  application().execute(
      "CREATE TRIGGER time_passes AFTER INSERT ON action_triggers_outbox BEGIN"
      " UPDATE action_triggers_dead_letters SET died_at = died_at - 1; END");
  EXPECT_EQ(admin_.replay(with(&DeadFilter::older_than, 3'600s)), 1U);
  EXPECT_THAT(found({}), ElementsAre(2));
}

TEST_F(SqliteAdminTest, DropsWhatTheFilterFinds) {
  bury("orders", "too_large", "1");
  bury("mails", "too_large", "2");
  EXPECT_EQ(admin_.drop(with(&DeadFilter::destination, "orders")), 1U);
  EXPECT_THAT(found({}), ElementsAre(2));
  EXPECT_EQ(admin_.drop(with(&DeadFilter::destination, "none")), 0U);
  EXPECT_EQ(admin_.drop({}), 1U);
  EXPECT_THAT(application().column("SELECT id FROM action_triggers_outbox"), IsEmpty());
}

TEST_F(SqliteAdminTest, IsWhatTheDriverMakes) {
  const OutboxDriver& driver = sqlite_driver();
  EXPECT_EQ(driver.type, OutboxType::sqlite);
  EXPECT_EQ(driver.name, "sqlite");
  EXPECT_EQ(driver.schema(database_.config), sqlite_schema(database_.config));
  EXPECT_EQ(driver.insert_statement(database_.config), sqlite_insert(database_.config));
  EXPECT_EQ(driver.store(database_.config)->reopen().shards, 1);
  EXPECT_THAT(driver.admin(database_.config)->verify(), IsEmpty());
}

}  // namespace
}  // namespace action_triggers::detail
