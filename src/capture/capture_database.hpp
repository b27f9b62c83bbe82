// SPDX-License-Identifier: MIT
/// What capture asks of a database: how tables look, which SQL triggers are there, and to run SQL.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "capture/capture_config.hpp"

namespace action_triggers::detail {

/// Rows that have the same values in these columns, none of them NULL, cannot both be there.
struct UniqueColumns {
  struct Column {
    std::string name;
    std::string collation;  // by which the index compares
  };
  std::vector<Column> columns;
};

/// A table as the database describes it.
struct DatabaseTable {
  std::vector<std::string> columns;  // generated ones too
  std::vector<std::string> primary_key;
  bool is_partitioned = false;  // PostgreSQL: it has partitions, or is one

  // Of SQLite.
  std::string rowid;                  // the INTEGER PRIMARY KEY, or another name of the rowid; empty: there is none
  std::vector<UniqueColumns> unique;  // the primary key too
  std::vector<std::string> unseen;    // unique indexes that are not in `unique`: on expressions, or on some rows
};

/// A SQL trigger that capture has made, whatever version of it.
struct InstalledTrigger {
  std::string name;
  std::string table;           // for people
  bool is_enabled = true;      // false: somebody has switched it off
  bool is_of_replica = false;  // PostgreSQL: it fires for replication too
};

/// One session. Throws StoreError.
class CaptureDatabase {
 public:
  virtual ~CaptureDatabase() = default;
  /// Nothing: there is no such table. Throws for what is no table (a view).
  virtual std::optional<DatabaseTable> table(const TableName& name) = 0;
  /// All whose names begin with trigger_prefix.
  virtual std::vector<InstalledTrigger> triggers() = 0;
  /// Several statements, all of them or none.
  virtual void run(const std::string& sql) = 0;
};

}  // namespace action_triggers::detail
