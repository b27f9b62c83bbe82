// SPDX-License-Identifier: MIT
// What is left when the machine loses its power: what was not synced is there in any part, or not at all.
#include <gmock/gmock.h>

#include <filesystem>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "databases/sqlite/sqlite_store.hpp"
#include "faulty_vfs.hpp"
#include "sqlite_database.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using tests::FaultyVfs;
using tests::SqliteSession;
using tests::TemporaryFolder;

struct PowerLoss {
  std::vector<std::string> committed;  // by the application, in this order
  std::set<std::string> confirmed;     // and removed by the relay
  std::set<std::string> left;          // in the table, or a dead letter, after the power is back
};

/// An application and a relay until the power fails.
class PowerLossRun {
 public:
  PowerLossRun(const std::string& journal_mode, const std::string& synchronous, std::uint32_t seed)
      : random_(seed), path_(folder_.file("shop.db")), journal_mode_(journal_mode), synchronous_(synchronous) {}

  PowerLoss run() {
    {
      const SqliteSession application(path_);
      application.execute("PRAGMA journal_mode=" + journal_mode_);
      application.execute(sqlite_schema(tests::sqlite_config(path_)));
    }
    FaultyVfs vfs;
    vfs.remember(path_);
    const std::string after = folder_.file("after.db");
    {
      const SqliteSession application(path_, FaultyVfs::name());
      application.execute("PRAGMA synchronous=" + synchronous_);
      SqliteOutboxStore store(tests::sqlite_config(path_), {.vfs = FaultyVfs::name()});
      store.reopen();
      lease_ = store.acquire(0, "one", 1h).value().first;
      for (auto steps = random_() % 40; steps != 0; --steps) step(application, store);
      for (const char* suffix : {"", "-wal", "-journal"}) vfs.write_remains(path_ + suffix, after + suffix, random_);
    }
    look_at(after);
    return std::move(result_);
  }

 private:
  void step(const SqliteSession& application, SqliteOutboxStore& store) {
    switch (random_() % 8) {
      case 0:
      case 1:
        return relay(store);
      case 2:
        if (random_() % 4 == 0) application.execute("PRAGMA wal_checkpoint(TRUNCATE)");
        return;
      case 3:
        application.execute("BEGIN");
        application.insert("orders", "undone");
        application.execute("ROLLBACK");
        return;
      default:
        const std::string body = std::to_string(result_.committed.size());
        application.insert("orders", body + "-" + std::string(random_() % 6000, 'x'));
        result_.committed.push_back(body);
    }
  }

  void relay(SqliteOutboxStore& store) {
    const ReadResult found = store.read({.lease = lease_,
                                         .ids = {{1, std::numeric_limits<std::int64_t>::max()}},
                                         .targets = {},
                                         .limit = 1 + random_() % 3});
    std::vector<std::int64_t> ids;
    for (const OutboxRow& row : found.rows) {
      if (random_() % 5 == 0) {
        DeadRow dead;
        dead.id = row.id;
        store.bury(0, std::vector<DeadRow>{dead});
        continue;
      }
      ids.push_back(row.id);
      result_.confirmed.insert(row.body.substr(0, row.body.find('-')));
    }
    store.remove(0, ids, created_at_any_time);
  }

  void look_at(const std::string& path) {
    const SqliteSession application(path);
    EXPECT_EQ(application.text("PRAGMA integrity_check"), "ok");
    for (const std::string table : {"action_triggers_outbox", "action_triggers_dead_letters"}) {
      for (const std::string& body : application.column("SELECT substr(body, 1, instr(body, '-') - 1) FROM " + table)) {
        EXPECT_TRUE(result_.left.insert(body).second) << body << " is in both tables";
      }
    }
  }

  std::mt19937 random_;
  const TemporaryFolder folder_;
  const std::string path_;
  const std::string journal_mode_;
  const std::string synchronous_;
  Lease lease_;
  PowerLoss result_;
};

/// How many committed rows are lost: neither sent nor in the table.
int lost_in(const PowerLoss& run) {
  int lost = 0;
  for (const std::string& body : run.committed) {
    const bool is_left = run.left.count(body) != 0;
    if (!is_left && run.confirmed.count(body) == 0) ++lost;
    // What is lost are the latest commits: nothing is left that came after one of them.
    EXPECT_TRUE(!is_left || lost == 0) << "a commit is lost before " << body << ", which is not";
  }
  EXPECT_FALSE(run.left.count("undone"));
  return lost;
}

int lost_in_many(const std::string& journal_mode, const std::string& synchronous) {
  int lost = 0;
  for (std::uint32_t seed = 1; seed <= 150 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    lost += lost_in(PowerLossRun(journal_mode, synchronous, seed).run());
  }
  return lost;
}

TEST(SqlitePowerLossTest, WithTheLogAndFullNothingIsLost) { EXPECT_EQ(lost_in_many("wal", "FULL"), 0); }

TEST(SqlitePowerLossTest, WithTheLogAndNormalTheLatestCommitsAre) { EXPECT_GT(lost_in_many("wal", "NORMAL"), 0); }

TEST(SqlitePowerLossTest, WithTheJournalAndExtraNothingIsLost) { EXPECT_EQ(lost_in_many("delete", "EXTRA"), 0); }

// The removal of the journal is what commits, and it is not synced.
TEST(SqlitePowerLossTest, WithTheJournalAndFullTheLatestCommitMayBe) { EXPECT_GT(lost_in_many("delete", "FULL"), 0); }

}  // namespace
}  // namespace action_triggers::detail
