// SPDX-License-Identifier: MIT
// What happens to the file of a SQLite outbox while an application writes and a relay sends: it is locked, the disk is
// full or cannot be written. Held against the ledger of what was committed.
#include <gmock/gmock.h>

#include "outbox/sqlite_fault_fixture.hpp"

namespace action_triggers::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Longer than a relay tries for a lock, and longer than its lease.
class SqliteLockTest : public SqliteFaultTest {
 protected:
  SqliteLockTest() : SqliteFaultTest(R"(, "lease_secs": 1)") {}
};

TEST_P(SqliteLockTest, LockedForSeconds) {
  write("before");
  start_relay();
  ASSERT_TRUE(world_.is_empty_soon());
  {
    const SqliteSession somebody(world_.database().place());
    somebody.execute("BEGIN EXCLUSIVE");
    ASSERT_TRUE(world_.has_said("Another connection holds the lock")) << world_.log();
    for (int row = 1; row <= 5; ++row) insert(somebody, "locked-" + std::to_string(row));
    somebody.execute("COMMIT");
    healed_ = std::chrono::steady_clock::now();
  }
  write("after");
  finish("locked by somebody else for longer than the lease", 0);
}

TEST_P(SqliteFaultTest, FullDiskOfTheRelay) {
  world_.fail_files("");
  start_relay();
  world_.fail_files("ENOSPC");
  const SqliteSession application(world_.database().place());  // on another disk, as it were
  for (int row = 1; row <= 20; ++row) {
    application.execute("BEGIN IMMEDIATE");
    insert(application, "full-" + std::to_string(row));
    application.execute("COMMIT");
  }
  ASSERT_TRUE(world_.has_said("make room")) << world_.log();
  world_.fail_files("");
  healed_ = std::chrono::steady_clock::now();
  write("after");
  finish("full disk while the relay removes", 0);
}

TEST_P(SqliteFaultTest, FullDiskOfTheApplication) {
  world_.fail_files("");
  const auto application = world_.start({"write", "full", "1000000"});
  ASSERT_TRUE(eventually([this] { return lines_of(world_.file("attempts")).size() > 20; }));
  world_.fail_files("ENOSPC");
  EXPECT_EQ(application->wait(), 1);
  EXPECT_THAT(world_.log(), HasSubstr("disk is full"));
  world_.fail_files("");
  start_relay();
  healed_ = std::chrono::steady_clock::now();
  write("after");
  finish("full disk while the application commits", 0);
}

TEST_P(SqliteFaultTest, ReadOnly) {
  world_.fail_files("");
  write("before");
  start_relay();
  ASSERT_TRUE(world_.is_empty_soon());
  world_.fail_files("EROFS");
  EXPECT_EQ(world_.run({"write", "while", "7"}), 1);
  EXPECT_THAT(world_.log(), HasSubstr("right to"));
  insert(SqliteSession(world_.database().place()), "while");
  ASSERT_TRUE(world_.has_said("the outbox's database: ")) << world_.log();
  world_.fail_files("");
  healed_ = std::chrono::steady_clock::now();
  write("after");
  finish("file system made read-only, and writable again", 0);
}

TEST_P(SqliteFaultTest, PoisonedMessageAtTheHead) {
  insert(SqliteSession(world_.database().place()), "poison");
  write("after");
  int deaths = 0;
  while (world_.run({"relay"}) == killed) ++deaths;
  EXPECT_EQ(deaths, 4) << "three, and the first, which had not noted yet what it sends\n" << world_.log();
  start_relay();
  EXPECT_EQ(world_.sql("SELECT message_id, status FROM action_triggers_dead_letters WHERE status = 'poisoned'"),
            std::vector<std::string>{"id-poison|poisoned"});
  finish("a message at the head that kills each relay", 3 * 2 * OutboxWorld::batch * 2);
}

TEST_P(SqliteFaultTest, BrokenDestinationBesideAGoodOne) {
  world_.break_broker("mails");
  start_relay();
  write("while");
  EXPECT_TRUE(world_.has_said("messages for 'mails' wait")) << world_.log();
  EXPECT_TRUE(eventually([this] { return world_.arrived("orders").size() == 8; })) << "it waits for nobody";
  EXPECT_THAT(world_.arrived("mails"), IsEmpty());
  world_.mend_broker("mails");
  healed_ = std::chrono::steady_clock::now();
  write("after");
  finish("broken destination beside a good one", 0);
}

INSTANTIATE_TEST_SUITE_P(All, SqliteFaultTest, ::testing::ValuesIn(variants()),
                         [](const auto& variant) { return variant.param; });
INSTANTIATE_TEST_SUITE_P(All, SqliteLockTest, ::testing::ValuesIn(variants()),
                         [](const auto& variant) { return variant.param; });

}  // namespace
}  // namespace action_triggers::tests
