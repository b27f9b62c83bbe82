// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_admin.hpp"

#include <sqlite3.h>

#include <cmath>
#include <utility>

#include "databases/sqlite/sqlite_rows.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::uint64_t large_log = 256U << 20;  // bytes

constexpr std::string_view message_columns =
    "shard, target, body, key, message_id, content_type, headers, properties, created_at, done";

std::chrono::milliseconds days(double count) {
  return std::chrono::milliseconds(std::llround(count * milliseconds_a_day));
}

std::string where_of(const DeadFilter& filter) {
  std::string where = " WHERE 1";
  if (filter.destination) where += " AND destination = ?1";
  if (filter.status) where += " AND status = ?2";
  if (filter.key) where += " AND CAST(key AS BLOB) = ?3";
  if (filter.text) where += " AND instr(text, ?4)";
  if (filter.older_than) where += " AND died_at < julianday('now') - ?5 / 86400.0";
  if (filter.id) where += " AND id = ?6";
  if (filter.up_to_id != 0) where += " AND id <= ?7";
  return where;
}

/// The letters that a filter chooses, for "id IN (…)": the oldest, if it has a limit.
std::string chosen(const DeadFilter& filter, const SqliteNames& names) {
  std::string ids = "SELECT id FROM " + names.dead + where_of(filter) + " ORDER BY id";
  if (filter.limit != 0) ids += " LIMIT ?8";
  return ids;
}

void bind_filter(SqliteStatement& statement, const DeadFilter& filter) {
  if (filter.destination) statement.bind_text(1, *filter.destination);
  if (filter.status) statement.bind_text(2, *filter.status);
  if (filter.key) statement.bind_blob(3, *filter.key);
  if (filter.text) statement.bind_text(4, *filter.text);
  if (filter.older_than) statement.bind(5, filter.older_than->count());
  if (filter.id) statement.bind(6, *filter.id);
  if (filter.up_to_id != 0) statement.bind(7, filter.up_to_id);
  if (filter.limit != 0) statement.bind(8, static_cast<std::int64_t>(filter.limit));
}

DeadLetter letter_of(const SqliteStatement& statement) {
  DeadLetter letter;
  read_row(statement, letter);
  constexpr int first = row_column_count;
  letter.destination = statement.bytes(first);
  letter.status = statement.bytes(first + 1);
  letter.text = statement.bytes(first + 2);
  letter.attempts = static_cast<std::uint32_t>(statement.integer(first + 3));
  letter.replayed = static_cast<std::uint32_t>(statement.integer(first + 4));
  letter.died_at = time_of_julian_day(statement.real(first + 5));
  return letter;
}

std::uint64_t count_of(SqliteConnection& connection, const std::string& sql) {
  SqliteStatement count(connection, sql, "Counting");
  const auto use = count.use();
  return count.step() ? static_cast<std::uint64_t>(count.integer(0)) : 0;
}

}  // namespace

std::string wal_reset_warning(int library_version) {
  constexpr int repaired = 3'051'003;
  if (library_version >= repaired) return "";
  return "SQLite " + std::to_string(library_version / 1'000'000) + "." +
         std::to_string(library_version / 1'000 % 1'000) + "." + std::to_string(library_version % 1'000) +
         " has the WAL-reset bug (repaired in 3.51.3): rarely, two connections that checkpoint at the same moment "
         "damage a database in WAL mode. The outbox's own connection never does; let one connection of the application "
         "do it, or update SQLite.";
}

SqliteOutboxAdmin::SqliteOutboxAdmin(const OutboxConfig& config, const SqliteOptions& options)
    : config_(config), names_(config), connection_(config.path, options) {}

void SqliteOutboxAdmin::install() {
  constexpr std::string_view doing = "Installing the outbox's tables";
  SqliteWriting writing(connection_, doing);
  connection_.execute(sqlite_schema(config_), doing);
  if (const auto problems = verify(); !problems.empty()) {
    std::string text = "The outbox cannot be installed in '" + config_.path + "', where there are such tables already:";
    for (const std::string& problem : problems) text += " " + problem;
    throw StoreError(text + " Nothing was changed.");
  }
  writing.commit();
}

std::vector<std::string> SqliteOutboxAdmin::verify() { return sqlite_problems(connection_, config_); }

// -------------------------------------------------------------------------------------------------------------- status

OutboxState SqliteOutboxAdmin::state() {
  const SqliteReading reading(connection_, "Reading the outbox's state");
  OutboxState state;
  state.shards.push_back(shard_state());
  state.targets = target_states();
  for (const OutboxState::Target& target : state.targets) state.shards.front().rows += target.rows;
  state.dead = count_of(connection_, "SELECT count(*) FROM " + names_.dead);
  state.warnings = warnings();
  return state;
}

OutboxState::Shard SqliteOutboxAdmin::shard_state() {
  SqliteStatement row(connection_,
                      "SELECT coalesce(owner, ''), coalesce(place, ''), epoch, expires - julianday('now'), deaths, "
                      "(SELECT julianday('now') - created_at FROM " +
                          names_.outbox + " ORDER BY id LIMIT 1) FROM " + names_.shards + " WHERE shard = 0",
                      "Reading the outbox's state");
  const auto use = row.use();
  OutboxState::Shard shard;
  if (!row.step()) return shard;
  shard.owner = row.bytes(0);
  shard.place = row.bytes(1);
  shard.epoch = row.integer(2);
  if (row.is_number(3)) shard.expires_in = days(row.real(3));
  shard.deaths = static_cast<std::int32_t>(row.integer(4));
  if (row.is_number(5)) shard.oldest_age = days(row.real(5));
  return shard;
}

std::vector<OutboxState::Target> SqliteOutboxAdmin::target_states() {
  SqliteStatement counts(connection_,
                         "SELECT target, count(*) FROM " + names_.outbox + " GROUP BY target ORDER BY target",
                         "Reading the outbox's state");
  const auto use = counts.use();
  std::vector<OutboxState::Target> targets;
  while (counts.step()) {
    targets.push_back({std::string(counts.bytes(0)), static_cast<std::uint64_t>(counts.integer(1))});
  }
  return targets;
}

std::vector<std::string> SqliteOutboxAdmin::warnings() {
  std::vector<std::string> warnings;
  if (!connection_.is_wal()) return warnings;
  if (std::string warning = wal_reset_warning(sqlite3_libversion_number()); !warning.empty()) {
    warnings.push_back(std::move(warning));
  }
  if (const std::uint64_t size = file_size(config_.path + "-wal"); size > large_log) {
    warnings.push_back("The write-ahead log has " + std::to_string(size >> 20) +
                       " MiB: the application has not checkpointed for long, or a transaction that reads keeps it from "
                       "that. Look for one, then run PRAGMA wal_checkpoint(TRUNCATE).");
  }
  return warnings;
}

// -------------------------------------------------------------------------------------------------------- dead letters

std::vector<DeadLetter> SqliteOutboxAdmin::dead(const DeadFilter& filter) {
  SqliteStatement letters(connection_,
                          "SELECT " + std::string(row_columns) +
                              ", destination, status, text, attempts, replayed, died_at FROM " + names_.dead +
                              " WHERE id IN (" + chosen(filter, names_) + ") ORDER BY id",
                          "Reading the dead letters");
  const auto use = letters.use();
  bind_filter(letters, filter);
  std::vector<DeadLetter> found;
  while (letters.step()) found.push_back(letter_of(letters));
  return found;
}

std::uint64_t SqliteOutboxAdmin::count_dead(const DeadFilter& filter) {
  SqliteStatement count(connection_, "SELECT count(*) FROM (" + chosen(filter, names_) + ")",
                        "Counting the dead letters");
  const auto use = count.use();
  bind_filter(count, filter);
  return count.step() ? static_cast<std::uint64_t>(count.integer(0)) : 0;
}

std::uint64_t SqliteOutboxAdmin::replay(const DeadFilter& filter) {
  constexpr std::string_view doing = "Replaying dead letters";
  // Chosen once: what is old enough is not the same a statement later.
  SqliteStatement choose(connection_, "SELECT json_group_array(id), count(*) FROM (" + chosen(filter, names_) + ")",
                         doing);
  const std::string ids = " WHERE id IN (SELECT value FROM json_each(?1))";
  SqliteStatement insert(connection_,
                         "INSERT INTO " + names_.outbox + " (" + std::string(message_columns) + ", replayed) SELECT " +
                             std::string(message_columns) + ", replayed + 1 FROM " + names_.dead + ids + " ORDER BY id",
                         doing);
  SqliteStatement remove(connection_, "DELETE FROM " + names_.dead + ids, doing);
  SqliteWriting writing(connection_, doing);
  std::string found;
  std::uint64_t count = 0;
  {
    const auto use = choose.use();
    bind_filter(choose, filter);
    if (choose.step()) {
      found = choose.bytes(0);
      count = static_cast<std::uint64_t>(choose.integer(1));
    }
  }
  for (SqliteStatement* statement : {&insert, &remove}) {
    statement->bind_text(1, found);
    statement->run();
  }
  writing.commit();
  return count;
}

std::uint64_t SqliteOutboxAdmin::drop(const DeadFilter& filter) {
  constexpr std::string_view doing = "Dropping dead letters";
  SqliteStatement remove(connection_, "DELETE FROM " + names_.dead + " WHERE id IN (" + chosen(filter, names_) + ")",
                         doing);
  SqliteWriting writing(connection_, doing);
  bind_filter(remove, filter);
  remove.run();
  const auto dropped = static_cast<std::uint64_t>(sqlite3_changes(connection_.get()));
  writing.commit();
  return dropped;
}

}  // namespace action_triggers::detail
