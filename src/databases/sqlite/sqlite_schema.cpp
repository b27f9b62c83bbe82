// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_schema.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <span>

#include "base/sql_quotes.hpp"
#include "outbox/outbox_row.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::string_view doing = "Looking at the outbox's tables";

constexpr std::array<std::string_view, 12> outbox_columns{"id",         "shard",      "target",       "body",
                                                          "key",        "message_id", "content_type", "headers",
                                                          "properties", "created_at", "done",         "replayed"};
constexpr std::array<std::string_view, 10> shards_columns{"shard", "owner", "place",  "epoch",   "expires",
                                                          "low",   "head",  "deaths", "version", "outbox_id"};
constexpr std::array<std::string_view, 17> dead_columns{
    "id",         "shard", "target",      "body",   "key",  "message_id", "content_type", "headers", "properties",
    "created_at", "done",  "destination", "status", "text", "attempts",   "died_at",      "replayed"};

// What a message is, in all tables that hold one. No column has a constraint: a conflict clause of the statement that
// made a SQL trigger insert (INSERT OR IGNORE) would take it as leave to drop the row without a word.
constexpr std::string_view message_columns =
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "  shard INTEGER DEFAULT 0,\n"
    "  target TEXT,\n"
    "  body BLOB,\n"
    "  key BLOB,\n"
    "  message_id TEXT,\n"
    "  content_type TEXT,\n"
    "  headers TEXT,\n"
    "  properties TEXT,\n"
    "  created_at REAL DEFAULT (julianday('now')),\n"
    "  done INTEGER DEFAULT 0,\n"
    "  replayed INTEGER DEFAULT 0";

struct Column {
  bool is_not_null = false;
  bool is_key = false;
};

std::map<std::string, Column, std::less<>> columns_of(SqliteConnection& connection, const std::string& table) {
  SqliteStatement info(connection, "SELECT name, \"notnull\", pk FROM pragma_table_info(?1)", doing);
  const auto use = info.use();
  info.bind_text(1, table);
  std::map<std::string, Column, std::less<>> columns;
  while (info.step()) columns[std::string(info.bytes(0))] = {info.integer(1) != 0, info.integer(2) != 0};
  return columns;
}

/// The statement that made it, in capitals, with one blank wherever there are some; nothing: there is none.
std::optional<std::string> statement_of(SqliteConnection& connection, const std::string& table) {
  SqliteStatement statement(connection,
                            "SELECT sql FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(?1)", doing);
  const auto use = statement.use();
  statement.bind_text(1, table);
  if (!statement.step()) return std::nullopt;
  std::string plain;
  for (const char c : statement.bytes(0)) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isspace(byte) == 0) {
      plain += static_cast<char>(std::toupper(byte));
    } else if (!plain.empty() && plain.back() != ' ') {
      plain += ' ';
    }
  }
  return plain;
}

bool has_unique_index(SqliteConnection& connection, const std::string& table) {
  SqliteStatement indexes(connection, "SELECT count(*) FROM pragma_index_list(?1) WHERE \"unique\"", doing);
  const auto use = indexes.use();
  indexes.bind_text(1, table);
  return indexes.step() && indexes.integer(0) != 0;
}

class Verification {
 public:
  Verification(SqliteConnection& connection, std::vector<std::string>& problems)
      : connection_(connection), problems_(problems) {}

  /// False: there is no such table.
  bool columns(const std::string& table, std::span<const std::string_view> wanted) {
    found_ = columns_of(connection_, table);
    if (found_.empty()) {
      problems_.push_back("There is no table '" + table + "'.");
      return false;
    }
    for (const std::string_view column : wanted) {
      if (found_.find(column) == found_.end()) {
        problems_.push_back("The table '" + table + "' has no column '" + std::string(column) + "'.");
      }
    }
    return true;
  }

  /// Ids that never come back, and nothing by which a conflict clause could drop a row.
  void ids_and_constraints(const std::string& table) {
    const std::string sql = statement_of(connection_, table).value_or("");
    if (sql.find("PRIMARY KEY AUTOINCREMENT") == std::string::npos) {
      problems_.push_back("In the table '" + table +
                          "' the id is not AUTOINCREMENT: ids of removed rows would be given again.");
    }
    const bool has_not_null = std::any_of(found_.begin(), found_.end(), [](const auto& column) {
      return column.second.is_not_null && !column.second.is_key;
    });
    if (has_not_null || has_unique_index(connection_, table) || sql.find("CHECK") != std::string::npos ||
        sql.find(" STRICT") != std::string::npos) {
      problems_.push_back("The table '" + table +
                          "' has a constraint (NOT NULL, UNIQUE, CHECK, STRICT): a statement with OR IGNORE would drop "
                          "events without a word.");
    }
  }

 private:
  SqliteConnection& connection_;
  std::vector<std::string>& problems_;
  std::map<std::string, Column, std::less<>> found_;
};

void check_version(SqliteConnection& connection, const OutboxConfig& config, std::vector<std::string>& problems) {
  SqliteStatement row(connection, "SELECT version, outbox_id FROM " + SqliteNames(config).shards + " WHERE shard = 0",
                      doing);
  const auto use = row.use();
  if (!row.step()) {
    problems.push_back("The table '" + config.shards_table + "' has no row for shard 0.");
    return;
  }
  const std::int64_t version = row.integer(0);
  if (version != sqlite_schema_version) {
    problems.push_back("The tables are of version " + std::to_string(version) + ", this library knows version " +
                       std::to_string(sqlite_schema_version) +
                       (version > sqlite_schema_version
                            ? ": update the library."
                            : ": let the library that has installed them send what is in them ('action-triggers relay "
                              "--once FILE'), drop them, and install them anew."));
  }
  if (row.bytes(1).empty()) problems.push_back("The table '" + config.shards_table + "' has no outbox_id.");
}

}  // namespace

SqliteNames::SqliteNames(const OutboxConfig& config)
    : outbox(sql_name(config.table)),
      shards(sql_name(config.shards_table)),
      dead(sql_name(config.dead_letters_table)) {}

std::string sqlite_schema(const OutboxConfig& config) {
  const SqliteNames names(config);
  std::string sql = "-- The outbox of action_triggers in SQLite, version " + std::to_string(sqlite_schema_version) +
                    ". Changes nothing where it is installed.\n"
                    "-- Leave the outbox without constraints, and its id AUTOINCREMENT: each is there for a reason.\n";
  sql += "CREATE TABLE IF NOT EXISTS " + names.outbox + " (\n" + std::string(message_columns) + "\n);\n\n";
  sql += "CREATE TABLE IF NOT EXISTS " + names.dead + " (\n" + std::string(message_columns) +
         ",\n"
         "  destination TEXT,\n"
         "  status TEXT,\n"
         "  text TEXT,\n"
         "  attempts INTEGER DEFAULT 0,\n"
         "  died_at REAL DEFAULT (julianday('now'))\n"
         ");\n\n";
  sql += "CREATE TABLE IF NOT EXISTS " + names.shards +
         " (\n"
         "  shard INTEGER PRIMARY KEY,\n"
         "  owner TEXT,\n"
         "  place TEXT,\n"
         "  epoch INTEGER NOT NULL DEFAULT 0,\n"
         "  expires REAL,\n"
         "  low INTEGER NOT NULL DEFAULT 0,\n"
         "  head INTEGER,\n"
         "  deaths INTEGER NOT NULL DEFAULT 0,\n"
         "  version INTEGER NOT NULL,\n"
         "  outbox_id TEXT NOT NULL\n"
         ");\n\n";
  sql += "INSERT INTO " + names.shards + " (shard, version, outbox_id)\n  SELECT 0, " +
         std::to_string(sqlite_schema_version) + ", lower(hex(randomblob(16)))\n  WHERE NOT EXISTS (SELECT 1 FROM " +
         names.shards + ");\n";
  return sql;
}

std::string sqlite_insert(const OutboxConfig& config) {
  return "INSERT INTO " + SqliteNames(config).outbox + " (" + std::string(new_row_columns) +
         ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
}

std::vector<std::string> sqlite_problems(SqliteConnection& connection, const OutboxConfig& config) {
  std::vector<std::string> problems;
  Verification verification(connection, problems);
  if (verification.columns(config.table, outbox_columns)) verification.ids_and_constraints(config.table);
  if (verification.columns(config.dead_letters_table, dead_columns)) {
    verification.ids_and_constraints(config.dead_letters_table);
  }
  const std::size_t before = problems.size();
  const bool has_shards = verification.columns(config.shards_table, shards_columns);
  if (has_shards && problems.size() == before) check_version(connection, config, problems);
  return problems;
}

}  // namespace action_triggers::detail
