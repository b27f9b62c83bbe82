// SPDX-License-Identifier: MIT
/// The outbox's tables in SQLite. docs/outbox.md says what each column means.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "databases/sqlite/sqlite_connection.hpp"
#include "outbox/outbox_config.hpp"

namespace action_triggers::detail {

inline constexpr std::int64_t sqlite_schema_version = 1;

/// Table names as SQL has them.
struct SqliteNames {
  explicit SqliteNames(const OutboxConfig& config);
  std::string outbox;
  std::string shards;
  std::string dead;
};

/// SQL that makes the tables, and changes nothing where they are.
std::string sqlite_schema(const OutboxConfig& config);

/// INSERT of one row, its parameters in the order of OutboxValues.
std::string sqlite_insert(const OutboxConfig& config);

/// What the tables lack; empty: they are right.
std::vector<std::string> sqlite_problems(SqliteConnection& connection, const OutboxConfig& config);

}  // namespace action_triggers::detail
