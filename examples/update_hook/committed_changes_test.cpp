// SPDX-License-Identifier: MIT
// What docs/model-hooks.md says of SQLite's hooks.
#include "committed_changes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace example {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CommittedChangesTest : public ::testing::Test {
 protected:
  CommittedChangesTest() {
    sqlite3_open(":memory:", &database_);
    changes_.emplace(database_);
    run("CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE); INSERT INTO t VALUES (1, 1), (2, 2)");
  }
  ~CommittedChangesTest() override {
    changes_.reset();
    sqlite3_close(database_);
  }

  /// As "+t1 ~t2 -t3".
  std::vector<std::string> run(const std::string& sql) {
    std::vector<std::string> told;
    for (const CommittedChanges::Change& change : changes_->execute(sql)) {
      const char* const sign = change.operation == SQLITE_INSERT ? "+" : change.operation == SQLITE_UPDATE ? "~" : "-";
      told.push_back(sign + change.table + std::to_string(change.row));
    }
    return told;
  }

  sqlite3* database_ = nullptr;
  std::optional<CommittedChanges> changes_;
};

TEST_F(CommittedChangesTest, EachChangedRowIsTold) {
  EXPECT_THAT(run("INSERT INTO t VALUES (3, 3); UPDATE t SET v = v + 10; DELETE FROM t WHERE id = 2"),
              ElementsAre("+t3", "~t1", "~t2", "~t3", "-t2"));
}

TEST_F(CommittedChangesTest, ATransactionIsToldAtItsCommit) {
  EXPECT_THAT(run("BEGIN; INSERT INTO t VALUES (3, 3)"), IsEmpty());
  EXPECT_THAT(run("DELETE FROM t WHERE id = 1"), IsEmpty());
  EXPECT_THAT(run("COMMIT"), ElementsAre("+t3", "-t1"));
}

TEST_F(CommittedChangesTest, WhatIsRolledBackIsNotTold) {
  EXPECT_THAT(run("BEGIN; INSERT INTO t VALUES (3, 3); ROLLBACK"), IsEmpty());
  EXPECT_THROW(run("INSERT INTO t VALUES (3, 3), (4, 1)"), std::runtime_error) << "UNIQUE";
  EXPECT_THROW(run("BEGIN; INSERT INTO t VALUES (3, 3); INSERT INTO t VALUES (4, 1); COMMIT"), std::runtime_error);
  EXPECT_THAT(run("INSERT INTO t VALUES (5, 5)"), ElementsAre("+t5"));
}

TEST_F(CommittedChangesTest, WhatWasCommittedBeforeAFailureIsNotLost) {
  EXPECT_THROW(run("INSERT INTO t VALUES (3, 3); INSERT INTO t VALUES (4, 1)"), std::runtime_error);
  EXPECT_THAT(run("INSERT INTO t VALUES (5, 5)"), ElementsAre("+t3", "+t5"));
}

TEST_F(CommittedChangesTest, ACommitThatFailsTellsNothing) {
  run("PRAGMA foreign_keys = ON; CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES t DEFERRABLE INITIALLY "
      "DEFERRED)");
  EXPECT_THROW(run("BEGIN; INSERT INTO c VALUES (1, 99); COMMIT"), std::runtime_error);
  EXPECT_THAT(run("INSERT INTO c VALUES (2, 1)"), ElementsAre("+c2"));
}

TEST_F(CommittedChangesTest, DeleteWithoutWhereIsToldRowByRow) {
  EXPECT_THAT(run("DELETE FROM t"), ElementsAre("-t1", "-t2"));
}

TEST_F(CommittedChangesTest, CascadesAreTold) {
  run("PRAGMA foreign_keys = ON; CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES t ON DELETE CASCADE);"
      "INSERT INTO c VALUES (5, 1)");
  EXPECT_THAT(run("DELETE FROM t WHERE id = 1"), ElementsAre("-t1", "-c5"));
}

TEST_F(CommittedChangesTest, SavepointsAreRefused) { EXPECT_THROW(run("SAVEPOINT s"), std::runtime_error); }

// Not told, and nothing can be done about it with this hook:

TEST_F(CommittedChangesTest, TheRowThatReplaceRemovesIsNotTold) {
  EXPECT_THAT(run("REPLACE INTO t VALUES (9, 1)"), ElementsAre("+t9"));
}

TEST_F(CommittedChangesTest, TablesWithoutRowidAreNotTold) {
  EXPECT_THAT(run("CREATE TABLE w (k TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO w VALUES ('a')"), IsEmpty());
}

TEST_F(CommittedChangesTest, OtherConnectionsAreNotTold) {
  const std::string path = ::testing::TempDir() + "committed_changes_test.db";
  std::remove(path.c_str());
  sqlite3* mine = nullptr;
  sqlite3* other = nullptr;
  sqlite3_open(path.c_str(), &mine);
  sqlite3_open(path.c_str(), &other);
  {
    CommittedChanges changes(mine);
    changes.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    sqlite3_exec(other, "INSERT INTO t VALUES (1)", nullptr, nullptr, nullptr);
    EXPECT_THAT(changes.execute("SELECT * FROM t"), IsEmpty());
  }
  sqlite3_close(other);
  sqlite3_close(mine);
  std::remove(path.c_str());
}

}  // namespace
}  // namespace example
