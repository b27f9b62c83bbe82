// SPDX-License-Identifier: MIT
// Several processes, and what is left when one of them is killed: committed = arrived, not committed = never there.
#include <gmock/gmock.h>
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "databases/sqlite/sqlite_store.hpp"
#include "sqlite_database.hpp"

extern char** environ;

namespace action_triggers::detail {
namespace {

using ::testing::IsEmpty;
using tests::SqliteSession;
using tests::TemporaryFolder;

constexpr int killed = 128 + SIGKILL;

/// The exit status of a program, or 128 and the signal that ended it.
class Process {
 public:
  explicit Process(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), ACTION_TRIGGERS_SQLITE_PROCESS);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    if (::posix_spawn(&id_, pointers[0], nullptr, nullptr, pointers.data(), environ) != 0) std::abort();
  }
  int wait() {
    int status = 0;
    if (::waitpid(id_, &status, 0) != id_) return -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t id_ = 0;
};

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// Nobody may have it open: a fork would see its parent's locks as its own.
void make_database(const std::string& path, const std::string& journal_mode) {
  const SqliteSession application(path);
  application.execute("PRAGMA journal_mode=" + journal_mode);
  application.execute(sqlite_schema(tests::sqlite_config(path)));
}

class SqliteProcessesTest : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(JournalModes, SqliteProcessesTest, ::testing::Values("wal", "delete"),
                         [](const auto& mode) { return mode.param; });

TEST_P(SqliteProcessesTest, TwoWriteAndOneRelays) {
  const TemporaryFolder folder;
  const std::string path = folder.file("shop.db");
  const std::string ledger = folder.file("ledger");
  make_database(path, GetParam());
  constexpr int rows = 60;
  Process relay({"relay", path, ledger, std::to_string(2 * rows), "0"});
  Process first({"write", path, "first", std::to_string(rows)});
  Process second({"write", path, "second", std::to_string(rows)});
  EXPECT_EQ(first.wait(), 0);
  EXPECT_EQ(second.wait(), 0);
  EXPECT_EQ(relay.wait(), 0);

  std::map<std::string, int> arrived;  // how many of each writer
  for (const std::string& body : lines_of(ledger)) {
    const std::string writer = body.substr(0, body.find('-'));
    EXPECT_EQ(body, writer + "-" + std::to_string(++arrived[writer])) << "in order, once, and nothing rolled back";
  }
  EXPECT_EQ(arrived, (std::map<std::string, int>{{"first", rows}, {"second", rows}}));
  const SqliteSession application(path);
  EXPECT_EQ(application.number("SELECT count(*) FROM action_triggers_outbox"), 0);
  EXPECT_EQ(application.number("SELECT count(*) FROM action_triggers_dead_letters"), 2 * rows / 10);
}

/// An application that writes without a pause leaves gaps of microseconds between its transactions. With SQLite's own
/// busy handler, which sleeps up to 100 ms, the relay's turn comes after thousands of them; with ours after a hundred.
TEST_P(SqliteProcessesTest, ARelayGetsItsTurnBesideAnApplicationWithoutPauses) {
  const TemporaryFolder folder;
  const std::string path = folder.file("shop.db");
  make_database(path, GetParam());
  constexpr int turns = 20;
  std::atomic<int> commits = 0;
  std::atomic<bool> stop = false;
  std::thread application([&] {
    const SqliteSession session(path);
    session.execute("CREATE TABLE work (text)");
    while (!stop) {
      session.execute("BEGIN IMMEDIATE");
      for (int row = 0; row < 50; ++row) session.execute("INSERT INTO work VALUES ('something to do')");
      session.insert("orders", "body");
      session.execute("COMMIT");
      ++commits;
      commits.notify_one();
    }
  });
  SqliteOutboxStore store(tests::sqlite_config(path), {.busy_limit = std::chrono::minutes(2)});
  store.reopen();
  int during = 0;
  for (std::int64_t id = 1; id <= turns; ++id) {
    const int before = commits;
    commits.wait(before);  // it is at work, and has its turn as well
    store.remove(0, std::vector<std::int64_t>{id}, created_at_any_time);
    during += commits - before;
  }
  stop = true;
  application.join();
  RecordProperty("commits", during);
  EXPECT_LT(during, turns * 1000) << "commits of the application during " << turns << " of the relay";
}

/// Kills a relay before each change that it makes to its files, and the one that comes after it once more, before the
/// third does the rest.
TEST_P(SqliteProcessesTest, NothingIsLostByAKillAtAnyMoment) {
  const TemporaryFolder folder;
  const std::string path = folder.file("shop.db");
  const std::string ledger = folder.file("ledger");
  make_database(path, GetParam());
  constexpr int rows = 10;
  int status = killed;
  int kills = 0;
  for (int kill_before = 1; status == killed; ++kill_before) {
    ASSERT_EQ(Process({"write", path, "n" + std::to_string(kill_before), std::to_string(rows)}).wait(), 0);
    std::ofstream(ledger).close();
    for (const int change : {kill_before, kill_before / 2, 0}) {
      const int ended = Process({"relay", path, ledger, std::to_string(rows), std::to_string(change)}).wait();
      if (change == kill_before) status = ended;
      if (ended == killed) ++kills;
      ASSERT_TRUE(ended == 0 || (change != 0 && ended == killed)) << ended;
      const SqliteSession application(path);
      application.execute("UPDATE action_triggers_shards SET expires = NULL");
    }
    const SqliteSession application(path);
    const auto lines = lines_of(ledger);
    std::set<std::string> committed;
    for (int row = 1; row <= rows; ++row)
      committed.insert("n" + std::to_string(kill_before) + "-" + std::to_string(row));
    ASSERT_EQ(std::set<std::string>(lines.begin(), lines.end()), committed) << "killed before change " << kill_before;
    ASSERT_THAT(application.column("SELECT id FROM action_triggers_outbox"), IsEmpty());
    ASSERT_EQ(application.number("SELECT count(*) FROM action_triggers_dead_letters"), kill_before)
        << "one of each ten, moved whole or not at all";
    ASSERT_EQ(application.text("PRAGMA integrity_check"), "ok");
  }
  EXPECT_EQ(status, 0);
  EXPECT_GT(kills, 20);
}

TEST_P(SqliteProcessesTest, AnApplicationThatIsKilledLeavesBothOrNothing) {
  const TemporaryFolder folder;
  const std::string path = folder.file("shop.db");
  make_database(path, GetParam());
  SqliteSession(path).execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)");
  int status = killed;
  int kills = 0;
  for (int kill_before = 1; status == killed; ++kill_before) {
    status = Process({"order", path, "3", std::to_string(kill_before)}).wait();
    if (status == killed) ++kills;
    ASSERT_TRUE(status == 0 || status == killed) << status;
    const SqliteSession application(path);
    ASSERT_EQ(application.column("SELECT id FROM orders ORDER BY id"),
              application.column("SELECT CAST(body AS TEXT) FROM action_triggers_outbox ORDER BY id"))
        << "killed before change " << kill_before;
    ASSERT_EQ(application.text("PRAGMA integrity_check"), "ok");
  }
  EXPECT_EQ(status, 0);
  EXPECT_GT(kills, 5);
}

}  // namespace
}  // namespace action_triggers::detail
