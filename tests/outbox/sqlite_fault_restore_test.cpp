// SPDX-License-Identifier: MIT
// Backups of a SQLite outbox while it is in use, restored, or put in its place under a relay; and tables of another
// version.
#include <gmock/gmock.h>

#include <filesystem>
#include <set>

#include "outbox/sqlite_fault_fixture.hpp"

namespace action_triggers::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SqliteRestoreTest : public SqliteFaultTest {
 protected:
  SqliteRestoreTest() : SqliteFaultTest(R"(, "lease_secs": 1)") {}

  void back_up() { world_.sql("VACUUM INTO '" + backup() + "'"); }
  /// Also under those that have the file open.
  void restore() {
    const std::string path = world_.database().place();
    for (const char* const suffix : {"-wal", "-shm", "-journal"}) std::filesystem::remove(path + suffix);
    std::filesystem::rename(backup(), path);
    world_.sql("PRAGMA journal_mode=" + GetParam());  // a copy has the rollback journal
  }

 private:
  [[nodiscard]] std::string backup() const { return world_.file("backup.db"); }
};

TEST_P(SqliteRestoreTest, ABackupIsTakenWhileItRunsAndRestored) {
  world_.break_broker("mails");
  start_relay();
  write("before");
  const auto rows_left = [this] { return world_.value("SELECT count(*) FROM action_triggers_outbox"); };
  ASSERT_TRUE(eventually([&] { return world_.arrived("orders").size() == 8 && rows_left() == "2"; }))
      << "two events wait for the other broker";
  back_up();
  world_.mend_broker("mails");
  write("after");
  ASSERT_TRUE(world_.is_empty_soon());
  stop_relay();
  const History history = world_.history();
  const Outcome before = world_.outcome();
  restore();
  EXPECT_EQ(rows_left(), "2");
  start_relay();
  ASSERT_TRUE(world_.is_empty_soon());
  stop_relay();
  Outcome outcome = world_.outcome();
  outcome.dead = before.dead;  // those that came after the backup are in the other file
  check_commits(title_of(GetParam()), "backup taken in use, and restored", history, outcome, {.most_duplicates = 2 * 2},
                std::nullopt);
}

/// A consumer that remembers ids would take a new message for an old one.
TEST_P(SqliteRestoreTest, AfterARestoreNoIdIsGivenAgain) {
  const std::string insert = "INSERT INTO action_triggers_outbox (target, body) VALUES ('orders', ";
  back_up();
  world_.sql(insert + "'old')");
  ASSERT_EQ(world_.run({"relay"}), 0) << world_.log();
  restore();
  world_.sql(insert + "'new')");
  ASSERT_EQ(world_.run({"relay"}), 0) << world_.log();
  std::set<std::string> ids;
  for (const std::string& line : world_.arrived("orders")) ids.insert(line.substr(0, line.find('\t')));
  EXPECT_EQ(ids.size(), 2U) << content_of(world_.file("orders/arrived"));
}

/// Rows of the old file that are under way have the numbers of other rows in the new one.
TEST_P(SqliteRestoreTest, AnotherFileInItsPlaceLosesNothing) {
  world_.break_broker("mails");
  start_relay();
  back_up();
  const auto insert = [this](const std::string& when) {
    const SqliteSession application(world_.database().place());
    for (int row = 1; row <= 5; ++row) {
      const std::string body = when + std::to_string(row);
      application.execute("INSERT INTO action_triggers_outbox (target, message_id, body) VALUES ('mails', 'id-" + body +
                          "', '" + body + "')");
    }
  };
  insert("old");
  ASSERT_TRUE(world_.has_said("messages for 'mails' wait")) << world_.log();
  restore();
  insert("new");
  ASSERT_TRUE(world_.has_said("was moved or replaced")) << world_.log();
  world_.mend_broker("mails");
  ASSERT_TRUE(eventually([this] { return world_.arrived("mails").size() >= 5; })) << world_.log();
  relay_.reset();  // by SIGKILL: what it has in its hands it would try to remove until its time is over
  world_.sql("UPDATE action_triggers_shards SET expires = NULL");
  start_relay();
  ASSERT_TRUE(world_.is_empty_soon()) << world_.log();
  stop_relay();
  std::set<std::string> bodies;
  for (const std::string& line : world_.arrived("mails")) bodies.insert(line.substr(line.rfind('\t') + 1));
  for (int row = 1; row <= 5; ++row) EXPECT_TRUE(bodies.contains("new" + std::to_string(row))) << row;
}

INSTANTIATE_TEST_SUITE_P(All, SqliteRestoreTest, ::testing::ValuesIn(variants()),
                         [](const auto& variant) { return variant.param; });

}  // namespace
}  // namespace action_triggers::tests
