// SPDX-License-Identifier: MIT
// The application's transactions, and what arrives of them.
#include <gmock/gmock.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "action_triggers/config.hpp"
#include "action_triggers/memory.hpp"
#include "action_triggers/sqlite.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "faulty_vfs.hpp"
#include "sqlite_database.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using tests::FaultyVfs;
using tests::SqliteDatabase;
using tests::SqliteSession;

constexpr const char* bodies_in_table = "SELECT CAST(body AS TEXT) FROM action_triggers_outbox ORDER BY id";

class SqliteOutboxTest : public ::testing::Test {
 protected:
  explicit SqliteOutboxTest(const std::string& journal_mode = "wal", const char* vfs = nullptr)
      : database_(journal_mode, vfs) {
    registry_.add("memory", broker_->maker());
    database_.application.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT)");
  }

  const SqliteSession& application() const { return database_.application; }
  Config config_of(const std::string& path, bool relay) {
    return parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}, "mails": {"broker_type": "memory"}},
      "triggers": {"paid": {"events": ["order.paid"], "targets": ["mails"]}},
      "outbox": {"type": "sqlite", "path": ")" +
                            path + R"(", "relay": )" + (relay ? "true" : "false") + poll_ + "}}",
                        registry_);
  }
  /// Without a relay rows stay where tests see them.
  SqliteOutbox& make(bool relay = false) {
    dispatcher_.emplace(config_of(database_.config.path, relay), registry_);
    return outbox_.emplace(*dispatcher_);
  }
  std::vector<std::string> written() const { return application().column(bodies_in_table); }
  std::vector<std::string> arrived(const std::string& destination) const {
    std::vector<std::string> bodies;
    for (const Message& message : broker_->messages(destination)) bodies.push_back(message.body);
    return bodies;
  }

  SqliteDatabase database_;
  std::string poll_;  // with a comma before it
  const std::shared_ptr<InMemoryBroker> broker_ = std::make_shared<InMemoryBroker>();
  BrokerRegistry registry_ = BrokerRegistry::builtin();
  std::optional<TriggerDispatcher> dispatcher_;
  std::optional<SqliteOutbox> outbox_;
};

// --------------------------------------------------------------------------------------------------- from end to end

TEST_F(SqliteOutboxTest, SendsWhatWasCommitted) {
  SqliteOutbox& outbox = make(true);
  std::string fired;
  {
    SqliteTransaction transaction(outbox, application().get());
    application().execute("INSERT INTO orders (state) VALUES ('paid')");
    fired = transaction.fire("orders", "first");
    transaction.emit("order.paid", R"({"id": 1})");
    transaction.fire("orders", Message{.body = "second", .key = "k", .headers = {{"name", "value"}}});
    EXPECT_EQ(transaction.size(), 3U);
    EXPECT_THAT(arrived("orders"), IsEmpty());
    transaction.commit();
  }
  ASSERT_TRUE(outbox.wait_until_empty(1min));
  EXPECT_THAT(arrived("orders"), ElementsAre("first", "second"));
  EXPECT_THAT(arrived("mails"), ElementsAre(R"({"id": 1})"));
  EXPECT_EQ(broker_->messages("orders").at(0).id, fired);
  EXPECT_EQ(broker_->messages("orders").at(1).key, "k");
  EXPECT_THAT(written(), IsEmpty());
  EXPECT_EQ(application().text("SELECT state FROM orders"), "paid");
}

TEST_F(SqliteOutboxTest, TakesWhatADispatcherTakes) {
  SqliteOutbox& outbox = make();
  SqliteTransaction transaction(outbox, application().get());
  transaction.fire("orders", {.body = "a message"});
  transaction.fire("orders", std::vector<std::byte>{std::byte{'b'}});
  transaction.emit("order.paid", {.body = "{}"});
  transaction.commit();
  EXPECT_THAT(written(), ElementsAre("a message", "b", "{}"));
}

/// It would be a string of 42 bytes from the address of "order".
template <class Transaction>
concept TakesBracesWithoutType = requires(Transaction& transaction) {
  transaction.fire("orders", {{"order", 42}});
};
static_assert(!TakesBracesWithoutType<SqliteTransaction>);
static_assert(!TakesBracesWithoutType<SqliteScope>);
static_assert(!TakesBracesWithoutType<TriggerDispatcher>);

TEST_F(SqliteOutboxTest, SendsNothingThatWasRolledBack) {
  SqliteOutbox& outbox = make(true);
  {
    SqliteTransaction transaction(outbox, application().get());
    application().execute("INSERT INTO orders (state) VALUES ('new')");
    transaction.fire("orders", "undone");
  }
  {
    SqliteTransaction transaction(outbox, application().get());
    transaction.fire("orders", "undone");
    transaction.rollback();
    EXPECT_EQ(transaction.size(), 0U);
    EXPECT_THROW(transaction.commit(), std::logic_error);
  }
  SqliteTransaction transaction(outbox, application().get());
  transaction.fire("orders", "kept");
  transaction.commit();
  ASSERT_TRUE(outbox.wait_until_empty(1min));
  EXPECT_THAT(arrived("orders"), ElementsAre("kept"));
  EXPECT_EQ(application().number("SELECT count(*) FROM orders"), 0);
}

TEST_F(SqliteOutboxTest, SendsWhatOthersInsert) {
  SqliteOutbox& outbox = make(true);
  application().execute(
      "CREATE TRIGGER capture AFTER INSERT ON orders BEGIN INSERT INTO action_triggers_outbox (target, body) VALUES "
      "('event:order.paid', json_object('id', new.id)); END");
  application().execute("INSERT OR IGNORE INTO orders (id) VALUES (7)");
  outbox.committed();
  ASSERT_TRUE(outbox.wait_until_empty(1min));
  EXPECT_THAT(arrived("mails"), ElementsAre(R"({"id":7})"));
}

TEST_F(SqliteOutboxTest, ReadsWhenItSeesThatOthersHaveCommitted) {
  poll_ = R"(, "poll_ms": [60000, 60000])";  // so not because it is time to read
  ASSERT_TRUE(make(true).wait_until_empty(1min));
  for (std::size_t count = 1; count <= 3; ++count) {
    application().insert("orders", "one");
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (arrived("orders").size() < count && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    ASSERT_EQ(arrived("orders").size(), count);
  }
}

TEST_F(SqliteOutboxTest, WhatIsLeftIsSentAfterTheNextStart) {
  {
    SqliteTransaction transaction(make(false), application().get());
    transaction.fire("orders", "kept");
    transaction.commit();
  }
  outbox_.reset();
  EXPECT_THAT(arrived("orders"), IsEmpty());
  ASSERT_TRUE(make(true).wait_until_empty(1min));
  EXPECT_THAT(arrived("orders"), ElementsAre("kept"));
}

TEST_F(SqliteOutboxTest, GivesItsStatementToOtherLayers) {
  SqliteOutbox& outbox = make();
  const OutboxValues values = outbox.row("orders", Message{.body = std::string("a\0b", 3), .key = "k"});
  sqlite3_stmt* statement = nullptr;
  ASSERT_EQ(sqlite3_prepare_v2(application().get(), outbox.insert_statement().c_str(), -1, &statement, nullptr),
            SQLITE_OK);
  int parameter = 0;
  for (const auto& value : values.values) {
    ++parameter;
    if (value) sqlite3_bind_blob(statement, parameter, value->data(), static_cast<int>(value->size()), SQLITE_STATIC);
  }
  EXPECT_EQ(sqlite3_step(statement), SQLITE_DONE);
  sqlite3_finalize(statement);
  EXPECT_EQ(application().text("SELECT hex(body) || CAST(message_id AS TEXT) FROM action_triggers_outbox"),
            "610062" + values.message_id);
}

// ---------------------------------------------------------------------------------------------------------- savepoints

TEST_F(SqliteOutboxTest, SavepointsAreOfTheTransactionAndOfItsMessages) {
  SqliteTransaction transaction(make(), application().get());
  transaction.fire("orders", "first");
  const auto outer = transaction.savepoint();
  application().execute("INSERT INTO orders (state) VALUES ('outer')");
  transaction.fire("orders", "second");
  const auto inner = transaction.savepoint();
  application().execute("INSERT INTO orders (state) VALUES ('inner')");
  transaction.fire("orders", "undone");
  transaction.rollback_to(inner);
  EXPECT_EQ(transaction.size(), 2U);
  transaction.fire("orders", "third");
  transaction.release(inner);
  EXPECT_THROW(transaction.rollback_to(inner), std::runtime_error);
  transaction.release(outer);
  transaction.commit();
  EXPECT_THAT(written(), ElementsAre("first", "second", "third"));
  EXPECT_THAT(application().column("SELECT state FROM orders"), ElementsAre("outer"));
}

TEST_F(SqliteOutboxTest, ASavepointTakesThoseAfterItAlong) {
  SqliteTransaction transaction(make(), application().get());
  const auto outer = transaction.savepoint();
  const auto inner = transaction.savepoint();
  transaction.fire("orders", "undone");
  transaction.rollback_to(outer);
  EXPECT_THROW(transaction.rollback_to(inner), std::runtime_error);
  transaction.rollback_to(outer);
  transaction.commit();
  EXPECT_THAT(written(), IsEmpty());
}

// ---------------------------------------------------------------------------------------------------- whose
// transaction

TEST_F(SqliteOutboxTest, TakesOverATransactionThatIsOpen) {
  SqliteOutbox& outbox = make();
  application().execute("BEGIN");
  application().execute("INSERT INTO orders (state) VALUES ('kept')");
  {
    SqliteTransaction transaction(outbox, application().get());
    transaction.fire("orders", "kept");
    transaction.commit();
  }
  EXPECT_EQ(sqlite3_get_autocommit(application().get()), 1);
  application().execute("BEGIN");
  application().execute("INSERT INTO orders (state) VALUES ('undone')");
  { const SqliteTransaction transaction(outbox, application().get()); }
  EXPECT_EQ(sqlite3_get_autocommit(application().get()), 1);
  EXPECT_THAT(application().column("SELECT state FROM orders"), ElementsAre("kept"));
  EXPECT_THAT(written(), ElementsAre("kept"));
}

TEST_F(SqliteOutboxTest, BeginsTheNextOne) {
  SqliteTransaction transaction(make(), application().get());
  EXPECT_THROW(transaction.begin(), std::logic_error);
  transaction.fire("orders", "first");
  transaction.commit();
  transaction.begin();
  EXPECT_EQ(sqlite3_get_autocommit(application().get()), 0);
  EXPECT_EQ(transaction.size(), 0U);
  for (const char* body : {"undone", "undone, too"}) transaction.fire("orders", body);
  transaction.rollback();
  for (int turn = 2; turn < 4; ++turn) {
    transaction.begin();
    for (const char* part : {"a", "b"}) transaction.fire("orders", std::to_string(turn) + part);
    transaction.commit();
  }
  application().execute("BEGIN");
  transaction.begin();  // takes it over
  transaction.fire("orders", "last");
  transaction.commit();
  EXPECT_EQ(sqlite3_get_autocommit(application().get()), 1);
  EXPECT_THAT(written(), ElementsAre("first", "2a", "2b", "3a", "3b", "last"));
}

TEST_F(SqliteOutboxTest, BeginsTheNextOneUnlessItIsBusy) {
  SqliteTransaction transaction(make(), application().get());
  transaction.commit();
  sqlite3_busy_timeout(application().get(), 1);
  const SqliteSession other(database_.config.path);
  other.execute("BEGIN IMMEDIATE");
  EXPECT_THROW(transaction.begin(), SqliteBusy);
  EXPECT_THROW(transaction.commit(), std::logic_error);
  other.execute("COMMIT");
  transaction.begin();
  transaction.fire("orders", "kept");
  transaction.commit();
  EXPECT_THAT(written(), ElementsAre("kept"));
}

/// sqlite3_close() refuses to close a connection with statements left.
TEST_F(SqliteOutboxTest, AConnectionMayBeClosedAfterItsTransaction) {
  SqliteOutbox& outbox = make();
  for (int end = 0; end < 3; ++end) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(database_.config.path.c_str(), &db), SQLITE_OK);
    SqliteTransaction transaction(outbox, db);
    for (const char* body : {"one", "two"}) transaction.fire("orders", body);
    if (end == 0) transaction.commit();
    if (end == 1) transaction.rollback();
    if (end == 2) {
      transaction.write();
      ASSERT_EQ(sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
    }
    EXPECT_EQ(sqlite3_next_stmt(db, nullptr), nullptr) << end;
    EXPECT_EQ(sqlite3_close(db), SQLITE_OK) << end;
  }
  EXPECT_THAT(written(), ElementsAre("one", "two", "one", "two"));
}

TEST_F(SqliteOutboxTest, LeavesTheCommitToAnotherLayer) {
  SqliteOutbox& outbox = make();
  application().execute("BEGIN");
  {
    SqliteTransaction transaction(outbox, application().get());
    transaction.fire("orders", "kept");
    transaction.write();
  }
  application().execute("COMMIT");
  application().execute("BEGIN");
  SqliteTransaction transaction(outbox, application().get());
  transaction.fire("orders", "undone");
  transaction.write();
  application().execute("ROLLBACK");
  EXPECT_THAT(written(), ElementsAre("kept"));
}

TEST_F(SqliteOutboxTest, AConnectionHasOneTransaction) {
  SqliteOutbox& outbox = make();
  std::optional<SqliteTransaction> transaction(std::in_place, outbox, application().get());
  transaction->fire("orders", "kept");
  EXPECT_THROW(SqliteTransaction(outbox, application().get()), std::logic_error);
  transaction->commit();
  transaction.reset();
  SqliteTransaction(outbox, application().get()).commit();
  EXPECT_THAT(written(), ElementsAre("kept"));
}

TEST_F(SqliteOutboxTest, WantsTheOutboxsFile) {
  SqliteOutbox& outbox = make();
  const SqliteSession other(database_.folder.file("other.db"));
  const SqliteSession memory(":memory:");
  EXPECT_THROW(SqliteTransaction(outbox, other.get()), std::invalid_argument);
  EXPECT_THROW(SqliteTransaction(outbox, memory.get()), std::invalid_argument);
}

TEST_F(SqliteOutboxTest, LeavesTheApplicationsRowid) {
  SqliteTransaction transaction(make(), application().get());
  application().execute("INSERT INTO orders (id) VALUES (4711)");
  transaction.fire("orders", "kept");
  transaction.commit();
  EXPECT_EQ(sqlite3_last_insert_rowid(application().get()), 4711);
}

TEST_F(SqliteOutboxTest, NoticesThatSomebodyElseEndedTheTransaction) {
  SqliteTransaction transaction(make(), application().get());
  transaction.fire("orders", "undone");
  application().execute("ROLLBACK");
  try {
    transaction.commit();
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("ended by other means"));
  }
  EXPECT_THAT(written(), IsEmpty());
}

// ---------------------------------------------------------------------------------------------------------------- busy

TEST_F(SqliteOutboxTest, SaysThatItCannotBegin) {
  SqliteOutbox& outbox = make();
  sqlite3_busy_timeout(application().get(), 1);
  const SqliteSession other(database_.config.path);
  other.execute("BEGIN IMMEDIATE");
  EXPECT_THROW(SqliteTransaction(outbox, application().get()), SqliteBusy);
  other.execute("COMMIT");
  SqliteTransaction(outbox, application().get()).commit();
}

TEST_F(SqliteOutboxTest, ASnapshotThatOthersHaveOvertakenIsNotBusy) {
  SqliteOutbox& outbox = make();
  const SqliteSession other(database_.config.path);
  application().execute("BEGIN");
  EXPECT_EQ(application().number("SELECT count(*) FROM orders"), 0);
  other.execute("INSERT INTO orders (state) VALUES ('other')");
  SqliteTransaction transaction(outbox, application().get());
  transaction.fire("orders", "undone");
  try {
    transaction.commit();
    FAIL();
  } catch (const SqliteBusy&) {
    FAIL() << "it can never commit";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("locked"));
  }
}

/// With a rollback journal a reader keeps others from committing.
class SqliteOutboxBusyTest : public SqliteOutboxTest {
 protected:
  SqliteOutboxBusyTest() : SqliteOutboxTest("delete") {
    sqlite3_busy_timeout(application().get(), 1);
    reader_.execute("BEGIN");
    EXPECT_EQ(reader_.number("SELECT count(*) FROM action_triggers_outbox"), 0);
  }
  const SqliteSession reader_{database_.config.path};
};

TEST_F(SqliteOutboxBusyTest, ACommitThatIsBusyMayBeRepeated) {
  SqliteTransaction transaction(make(), application().get());
  transaction.fire("orders", "first");
  EXPECT_THROW(transaction.commit(), SqliteBusy);
  EXPECT_THROW(transaction.commit(), SqliteBusy);
  transaction.fire("orders", "second");
  reader_.execute("COMMIT");
  transaction.commit();
  EXPECT_THAT(written(), ElementsAre("first", "second"));
}

TEST_F(SqliteOutboxBusyTest, ACommitThatIsBusyMayBeRolledBack) {
  {
    SqliteTransaction transaction(make(), application().get());
    transaction.fire("orders", "undone");
    EXPECT_THROW(transaction.commit(), SqliteBusy);
  }
  reader_.execute("COMMIT");
  EXPECT_THAT(written(), IsEmpty());
}

TEST_F(SqliteOutboxBusyTest, ACommitThatIsBusyMayBeRolledBackInPart) {
  SqliteTransaction transaction(make(), application().get());
  transaction.fire("orders", "first");
  const auto savepoint = transaction.savepoint();
  transaction.fire("orders", "undone");
  EXPECT_THROW(transaction.commit(), SqliteBusy);
  transaction.rollback_to(savepoint);
  transaction.fire("orders", "second");
  reader_.execute("COMMIT");
  transaction.commit();
  EXPECT_THAT(written(), ElementsAre("first", "second"));
}

// -------------------------------------------------------------------------------------------------------------- errors

class WithFaultyVfs {
 protected:
  FaultyVfs vfs_;
};

class SqliteOutboxFullDiskTest : protected WithFaultyVfs, public SqliteOutboxTest {
 protected:
  SqliteOutboxFullDiskTest() : SqliteOutboxTest("wal", FaultyVfs::name()) {}
};

TEST_F(SqliteOutboxFullDiskTest, AFullDiskSendsNothingAndSaysSo) {
  SqliteOutbox& outbox = make();
  {
    SqliteTransaction transaction(outbox, application().get());
    transaction.fire("orders", std::string(20'000, 'x'));
    vfs_.set_full(true);
    EXPECT_THROW(transaction.commit(), std::runtime_error);
  }
  vfs_.set_full(false);
  EXPECT_THAT(written(), IsEmpty());
  SqliteTransaction transaction(outbox, application().get());
  transaction.fire("orders", "kept");
  transaction.commit();
  EXPECT_THAT(written(), ElementsAre("kept"));
}

TEST_F(SqliteOutboxTest, SaysWhatIsMissing) {
  const SqliteSession empty(database_.folder.file("empty.db"));
  empty.execute("CREATE TABLE orders (id)");
  dispatcher_.emplace(config_of(database_.folder.file("empty.db"), true), registry_);
  try {
    outbox_.emplace(*dispatcher_);
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("action-triggers outbox install FILE"));
  }
  dispatcher_.emplace(parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}}})", registry_), registry_);
  EXPECT_THROW(outbox_.emplace(*dispatcher_), std::invalid_argument);
}

}  // namespace
}  // namespace action_triggers
