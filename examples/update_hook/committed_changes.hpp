// SPDX-License-Identifier: MIT
/// Which rows of a SQLite database were changed, told after the commit.
#pragma once

#include <sqlite3.h>

#include <string>
#include <vector>

namespace example {

/// SQLite's update hook runs inside the statement, when nobody knows whether the change will last. So it only collects;
/// what was collected is handed out when the transaction is over, and forgotten if it was rolled back.
///
/// The update hook is silent about DELETE without WHERE, unless an authorizer asks for it, and about savepoints that
/// are rolled back, so that these are refused. See docs/model-hooks.md for what else it does not tell.
class CommittedChanges {
 public:
  struct Change {
    int operation = 0;  // SQLITE_INSERT, SQLITE_UPDATE, SQLITE_DELETE
    std::string table;
    sqlite3_int64 row = 0;
  };

  /// Takes the connection's update hook, rollback hook and authorizer. The connection outlives this object.
  explicit CommittedChanges(sqlite3* database);
  ~CommittedChanges();
  CommittedChanges(const CommittedChanges&) = delete;
  CommittedChanges& operator=(const CommittedChanges&) = delete;

  /// Runs statements one by one. A failed one rolls the transaction back, if one is open, and throws
  /// std::runtime_error. Returns what was committed since the last call, in order: nothing while a transaction is open.
  std::vector<Change> execute(const std::string& sql);

 private:
  void step_through(sqlite3_stmt* statement);

  sqlite3* database_;
  std::vector<Change> collected_;  // of the transaction under way
  std::vector<Change> committed_;  // and not yet handed out
};

}  // namespace example
