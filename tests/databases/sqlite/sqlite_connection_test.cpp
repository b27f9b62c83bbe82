// SPDX-License-Identifier: MIT
// What goes wrong with a file, and what is said about it.
#include "databases/sqlite/sqlite_connection.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "databases/sqlite/sqlite_store.hpp"
#include "faulty_vfs.hpp"
#include "sqlite_database.hpp"
#include "support/child_process.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using tests::SqliteDatabase;

/// What the exception says; "" if there is none.
template <class Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const StoreError& error) {
    return error.what();
  }
  return "";
}

std::string opening_error(const std::string& path, const SqliteOptions& options = {}) {
  return error_of([&] { SqliteOutboxStore(tests::sqlite_config(path), options).reopen(); });
}

constexpr SqliteOptions impatient{.busy_limit = 1ms};

TEST(SqliteConnectionTest, NeverMakesAFile) {
  const tests::TemporaryFolder folder;
  const std::string path = folder.file("none.db");
  EXPECT_THAT(opening_error(path),
              AllOf(HasSubstr("There is no database '" + path), HasSubstr("start the application")));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(SqliteConnectionTest, WantsAFile) {
  for (const std::string path : {"", ":memory:", "file:shop.db?mode=memory"}) {
    EXPECT_THAT(opening_error(path), HasSubstr("must be the path of a database's file")) << path;
  }
}

TEST(SqliteConnectionTest, RefusesAFolder) {
  const tests::TemporaryFolder folder;
  EXPECT_THAT(opening_error(folder.path().string()), HasSubstr("unable to open database file"));
}

TEST(SqliteConnectionTest, RefusesNetworkFileSystems) {
  const SqliteDatabase database;
  const SqliteOptions nfs{.file_system = [](const std::string&) -> std::int64_t { return 0x6969; }};
  EXPECT_THAT(opening_error(database.config.path, nfs),
              AllOf(HasSubstr("network file system (NFS)"), HasSubstr("local")));
}

TEST(SqliteConnectionTest, SaysThatAFileIsNoDatabase) {
  const tests::TemporaryFolder folder;
  const std::string path = folder.file("notes.txt");
  std::ofstream(path) << std::string(4096, 'x');
  EXPECT_THAT(opening_error(path), AllOf(HasSubstr("file is not a database"), HasSubstr("application's own database")));
}

TEST(SqliteConnectionTest, SaysThatTablesAreMissing) {
  const tests::TemporaryFolder folder;
  const std::string path = folder.file("empty.db");
  std::ofstream(path).close();
  EXPECT_THAT(opening_error(path), AllOf(HasSubstr("There is no table 'action_triggers_outbox'"),
                                         HasSubstr("action-triggers outbox install FILE")));
}

TEST(SqliteConnectionTest, SaysThatTablesWentMissing) {
  const SqliteDatabase database;
  SqliteOutboxStore store(database.config);
  store.reopen();
  database.application.execute("DROP TABLE action_triggers_outbox");
  const std::vector<std::int64_t> ids{1};
  EXPECT_THAT(error_of([&] { store.remove(0, ids, created_at_any_time); }),
              AllOf(HasSubstr("no such table"), HasSubstr("action-triggers outbox install FILE")));
}

TEST(SqliteConnectionTest, SaysThatAFileCannotBeWritten) {
  const SqliteDatabase database;
  const std::filesystem::path path = database.config.path;
  database.application.execute("PRAGMA journal_mode=delete");
  ASSERT_EQ(::chmod(path.c_str(), 0444), 0);
  ASSERT_EQ(::chmod(path.parent_path().c_str(), 0755), 0);
  EXPECT_EQ(tests::trouble_in_child([&] {
              if (::geteuid() == 0) ACTION_TRIGGERS_CHILD_EXPECT(::setuid(65534) == 0);  // root may write anything
              const std::string error = opening_error(path.string());
              ACTION_TRIGGERS_CHILD_EXPECT(error.find("right to write the file, and its folder") != std::string::npos);
            }),
            "");
}

TEST(SqliteConnectionTest, SaysThatSomebodyHasTheLock) {
  for (const std::string mode : {"wal", "delete"}) {
    const SqliteDatabase database(mode);
    SqliteOutboxStore store(database.config, impatient);
    store.reopen();
    database.application.execute("BEGIN EXCLUSIVE");
    const std::string error = error_of([&] { (void)store.acquire(0, "one", 10s); });
    EXPECT_THAT(error, AllOf(HasSubstr("Taking the shard failed: database is locked"), HasSubstr("left open")));
    EXPECT_THAT(error_of([&] { store.bury(0, std::vector<DeadRow>(1)); }), HasSubstr("locked"));
    database.application.execute("COMMIT");
    EXPECT_TRUE(store.acquire(0, "one", 10s)) << "the session goes on";
  }
}

TEST(SqliteConnectionTest, GetsTheLockWhenItIsFree) {
  const SqliteDatabase database;
  SqliteOutboxStore store(database.config, {.busy_limit = 60s});
  store.reopen();
  database.application.execute("BEGIN IMMEDIATE");
  std::thread waiting([&] { EXPECT_TRUE(store.acquire(0, "one", 10s)); });
  database.application.execute("COMMIT");
  waiting.join();
}

TEST(SqliteConnectionTest, LooksForALockOftenAndNotInStep) {
  std::uint32_t least = 1000;
  std::uint32_t most = 0;
  for (std::uint32_t random = 0; random < 1000; ++random) {
    least = std::min(least, busy_pause_us(random));
    most = std::max(most, busy_pause_us(random));
  }
  EXPECT_EQ(least, 50U);
  EXPECT_EQ(most, 150U);
}

TEST(SqliteConnectionTest, SaysThatTheDiskIsFull) {
  tests::FaultyVfs vfs;
  for (const std::string mode : {"wal", "delete"}) {
    const SqliteDatabase database(mode);
    for (int row = 0; row < 50; ++row) database.application.insert("orders", std::string(1000, 'x'));
    SqliteOutboxStore store(database.config, {.vfs = tests::FaultyVfs::name()});
    store.reopen();
    const Lease lease = store.acquire(0, "one", 10s).value().first;
    vfs.set_full(true);
    DeadRow row;
    row.id = 1;
    EXPECT_THAT(error_of([&] { store.bury(0, std::vector<DeadRow>{row}); }),
                AllOf(HasSubstr("disk is full"), HasSubstr("make room")));
    EXPECT_EQ(store.read({.lease = lease, .ids = {{1, 100}}, .targets = {}}).rows.size(), 50U) << "reading goes on";
    vfs.set_full(false);
    store.bury(0, std::vector<DeadRow>{row});
    EXPECT_EQ(database.application.number("SELECT count(*) FROM action_triggers_dead_letters"), 1);
    EXPECT_EQ(database.application.number("SELECT count(*) FROM action_triggers_outbox"), 49);
    EXPECT_EQ(database.application.text("PRAGMA integrity_check"), "ok");
  }
}

TEST(SqliteConnectionTest, NoticesAnotherFileAtItsPath) {
  const SqliteDatabase database;
  SqliteOutboxStore store(database.config);
  store.reopen();
  const Lease lease = store.acquire(0, "one", 10s).value().first;
  const std::string backup = database.folder.file("backup.db");
  database.application.execute("VACUUM INTO '" + backup + "'");
  std::filesystem::rename(backup, database.config.path);
  EXPECT_THAT(error_of([&] { (void)store.renew(lease, 10s, {}); }), HasSubstr("moved or replaced"));
  EXPECT_THAT(error_of([&] { (void)store.acquire(0, "one", 10s); }), HasSubstr("moved or replaced"));
}

/// Rows of the old one may be under way, and would be removed from the new one, where their numbers are those of
/// others.
TEST(SqliteConnectionTest, AnotherFileAtItsPathIsNotOpened) {
  const SqliteDatabase database("delete");
  SqliteOutboxStore store(database.config);
  store.reopen();
  const std::string backup = database.folder.file("backup.db");
  for (int i = 0; i < 2; ++i) {  // the second may have the number of the first one
    std::filesystem::copy_file(database.config.path, backup);
    std::filesystem::rename(backup, database.config.path);
    EXPECT_THAT(error_of([&] { store.reopen(); }), HasSubstr("Start the program anew"));
  }
  EXPECT_THAT(error_of([&] { store.remove(0, std::vector<std::int64_t>{1}, created_at_any_time); }),
              HasSubstr("is not open"));
  SqliteOutboxStore(database.config).reopen();
}

/// The file system gives the number of a removed file again.
TEST(SqliteConnectionTest, AFileThatWasRestoredIsNotOpened) {
  const SqliteDatabase database("delete");
  OutboxConfig config = database.config;
  config.path = database.folder.file("restored.db");
  std::filesystem::copy_file(database.config.path, config.path);
  SqliteOutboxStore store(config);
  store.reopen();
  const FileIdentity first = identity_of(config.path).value();
  std::filesystem::remove(config.path);
  EXPECT_THAT(error_of([&] { store.reopen(); }), HasSubstr("There is no database"));
  do {  // later by a tick of the file system's clock
    std::filesystem::remove(config.path);
    std::filesystem::copy_file(database.config.path, config.path);
  } while (identity_of(config.path)->born_ns == first.born_ns && first.born_ns != 0);
  EXPECT_THAT(error_of([&] { store.reopen(); }), HasSubstr("Start the program anew"));
}

TEST(SqliteConnectionTest, SaysThatItIsNotOpen) {
  SqliteOutboxStore store(tests::sqlite_config("/no/such.db"));
  EXPECT_THAT(error_of([&] { store.wait(-1, 0ms); }), HasSubstr("is not open"));
  EXPECT_THAT(error_of([&] { store.reopen(); }), HasSubstr("There is no database"));
}

TEST(SqliteConnectionTest, AFailedReopenCanBeRepeated) {
  const SqliteDatabase database;
  const std::string elsewhere = database.folder.file("elsewhere.db");
  SqliteOutboxStore store(database.config);
  store.reopen();
  std::filesystem::rename(database.config.path, elsewhere);
  EXPECT_THAT(error_of([&] { store.reopen(); }), HasSubstr("There is no database"));
  std::filesystem::rename(elsewhere, database.config.path);
  store.reopen();
  EXPECT_TRUE(store.acquire(0, "one", 10s));
}

}  // namespace
}  // namespace action_triggers::detail
