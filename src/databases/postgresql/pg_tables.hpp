// SPDX-License-Identifier: MIT
/// The tables of an outbox in PostgreSQL: how SQL names them, and the SQL that makes them.
#pragma once

#include <string>

#include "outbox/outbox_config.hpp"

namespace action_triggers::detail {

/// Of the tables' columns and meaning. A relay works with tables of its own version only.
inline constexpr int pg_schema_version = 1;

/// Qualified and quoted.
struct PgTables {
  /// Throws StoreError for names that PostgreSQL cannot have.
  explicit PgTables(const OutboxConfig& config);

  std::string schema;
  std::string outbox;
  std::string shards;
  std::string dead_letters;
  std::string shard_function;
};

/// What `outbox schema` prints: may be run again, and changes nothing then. Several statements, meant for one
/// transaction.
std::string pg_schema(const OutboxConfig& config);

/// An INSERT of one row, with $1 … $7.
std::string pg_insert_statement(const OutboxConfig& config);

/// On what processes that have committed tell others, with "notify": "after_commit". One for all outboxes of a
/// database: who is told of another one's reads once too often.
inline constexpr const char* pg_channel = "action_triggers_outbox";

}  // namespace action_triggers::detail
