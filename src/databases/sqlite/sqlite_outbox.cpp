// SPDX-License-Identifier: MIT
// The application's side: its connection, its transaction.
#include <sqlite3.h>

#include <algorithm>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/sqlite.hpp"
#include "databases/sqlite/sqlite_connection.hpp"
#include "databases/sqlite/sqlite_driver.hpp"
#include "databases/sqlite/sqlite_file.hpp"
#include "databases/sqlite/sqlite_rows.hpp"
#include "databases/sqlite/sqlite_schema.hpp"

namespace action_triggers {
namespace {

using detail::SqliteError;
using detail::SqliteHandle;

constexpr std::string_view writing = "Writing to the outbox";

/// The connections that have a SqliteTransaction. A second one would commit what is the first one's.
class Transactions {
 public:
  void enter(sqlite3* db) {
    const std::lock_guard lock(mutex_);
    if (std::find(open_.begin(), open_.end(), db) != open_.end()) {
      throw std::logic_error(
          "There is a SqliteTransaction on this connection already: use that one, and its savepoints.");
    }
    open_.push_back(db);
  }
  void leave(sqlite3* db) noexcept {
    const std::lock_guard lock(mutex_);
    open_.erase(std::remove(open_.begin(), open_.end(), db), open_.end());
  }

 private:
  std::mutex mutex_;
  std::vector<sqlite3*> open_;
};

Transactions& transactions() {
  static Transactions all;
  return all;
}

void require_same_file(sqlite3* db, const std::string& outbox) {
  const char* name = sqlite3_db_filename(db, "main");
  const std::string theirs = name == nullptr ? "" : name;
  if (detail::identity_of(theirs) == detail::identity_of(outbox)) return;
  throw std::invalid_argument("The connection has '" + theirs + "' open, and the outbox is in '" + outbox +
                              "': one transaction has to be in one file.");
}

bool is_busy(const SqliteError& error) {
  // A snapshot that others have overtaken stays so, however long one waits.
  return (error.code() & 0xFF) == SQLITE_BUSY && error.code() != SQLITE_BUSY_SNAPSHOT;
}

/// Throws SqliteBusy where it may be repeated.
template <class Call>
void unless_busy(Call&& call) {
  try {
    call();
  } catch (const SqliteError& error) {
    if (!is_busy(error)) throw;
    throw SqliteBusy(std::string(error.what()) + " Nothing was undone: call it again, or roll back.");
  }
}

std::string savepoint_name(std::uint64_t number) { return "action_triggers_" + std::to_string(number); }

}  // namespace

SqliteOutbox::SqliteOutbox(TriggerDispatcher& dispatcher) : Outbox(dispatcher, detail::sqlite_driver()) {}

SqliteTransaction::SqliteTransaction(SqliteOutbox& outbox, sqlite3* db) : OutboxTransaction(outbox), db_(db) {
  require_same_file(db, config().path);
  transactions().enter(db);
  try {
    begin();
  } catch (...) {
    transactions().leave(db);
    throw;
  }
}

SqliteTransaction::~SqliteTransaction() {
  rollback();
  transactions().leave(db_);
}

void SqliteTransaction::begin() {
  SqliteHandle handle(db_);
  if (!handle.is_in_transaction()) {
    unless_busy([&handle] { handle.execute("BEGIN IMMEDIATE", "Beginning a transaction"); });
  }
  is_open_ = true;
}

void SqliteTransaction::require_open() const {
  if (!is_open_) throw std::logic_error("The SqliteTransaction has ended: a new one needs a new object.");
  if (SqliteHandle(db_).is_in_transaction()) return;
  throw std::runtime_error(
      "The transaction was ended by other means, by a statement of the application or by SQLite after an error: its " +
      std::to_string(size()) + " messages are not written.");
}

/// All of them, or none.
void SqliteTransaction::write_messages() {
  const std::span<const detail::NewRow> all(rows());
  if (written_ == all.size()) return;
  SqliteHandle handle(db_);
  const sqlite3_int64 last_row = sqlite3_last_insert_rowid(db_);  // the application may ask for its own
  handle.execute("SAVEPOINT action_triggers_messages", writing);
  try {
    detail::SqliteStatement insert(handle, detail::sqlite_insert(config()), writing);
    for (const detail::NewRow& row : all.subspan(written_)) {
      detail::bind_row(insert, row);
      insert.run();
    }
  } catch (...) {
    sqlite3_exec(db_, "ROLLBACK TO action_triggers_messages; RELEASE action_triggers_messages", nullptr, nullptr,
                 nullptr);
    throw;
  }
  handle.execute("RELEASE action_triggers_messages", writing);
  sqlite3_set_last_insert_rowid(db_, last_row);
  written_ = all.size();
}

void SqliteTransaction::commit() {
  require_open();
  unless_busy([this] {
    write_messages();
    SqliteHandle(db_).execute("COMMIT", "Committing");
  });
  end();
  outbox().committed();
}

void SqliteTransaction::write() {
  require_open();
  unless_busy([this] { write_messages(); });
  end();
}

void SqliteTransaction::rollback() noexcept {
  if (!is_open_) return;
  // Fails only where SQLite has rolled back already.
  if (SqliteHandle(db_).is_in_transaction()) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  end();
}

void SqliteTransaction::end() noexcept {
  is_open_ = false;
  written_ = 0;
  clear();
}

SqliteTransaction::Savepoint SqliteTransaction::savepoint() {
  require_open();
  Savepoint made;
  made.number = ++savepoints_;
  made.messages = size();
  made.written = written_;
  SqliteHandle(db_).execute("SAVEPOINT " + savepoint_name(made.number), "Making a savepoint");
  return made;
}

void SqliteTransaction::rollback_to(const Savepoint& savepoint) {
  require_open();
  SqliteHandle(db_).execute("ROLLBACK TO " + savepoint_name(savepoint.number), "Rolling back to a savepoint");
  keep(savepoint.messages);
  written_ = savepoint.written;
}

void SqliteTransaction::release(const Savepoint& savepoint) {
  require_open();
  SqliteHandle(db_).execute("RELEASE " + savepoint_name(savepoint.number), "Releasing a savepoint");
}

}  // namespace action_triggers
