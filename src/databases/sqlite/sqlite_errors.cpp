// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_errors.hpp"

#include <sqlite3.h>

#include <system_error>

namespace action_triggers::detail {
namespace {

bool is_missing_table(sqlite3* db) {
  return db != nullptr && std::string_view(sqlite3_errmsg(db)).find("no such table") != std::string_view::npos;
}

bool is_missing_column(sqlite3* db) {
  if (db == nullptr) return false;
  const std::string_view text = sqlite3_errmsg(db);
  return text.find("no such column") != std::string_view::npos || text.find("has no column") != std::string_view::npos;
}

/// What to do about it; "" if the text of SQLite is all there is to say.
std::string way_out(sqlite3* db, int code) {
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "Another connection holds the lock: look for a transaction that is left open or runs for long, and for "
             "PRAGMA locking_mode=EXCLUSIVE, which lets nobody else in.";
    case SQLITE_FULL:
      return "The disk or the quota is full: make room. The transaction was undone.";
    case SQLITE_READONLY:
      return "The process needs the right to write the file, and its folder too: SQLite makes its journal there.";
    case SQLITE_NOTADB:
      return "The file is not a SQLite database, or it is encrypted: 'path' has to be the application's own database.";
    case SQLITE_CORRUPT:
      return "The file is damaged: look at PRAGMA integrity_check, and restore a backup or use .recover of the sqlite3 "
             "shell.";
    case SQLITE_CANTOPEN:
      return "The process needs the right to read and write the file and its folder.";
    case SQLITE_IOERR:
      return "The file system refused it: look at the disk, and at the system's log.";
    default:
      break;
  }
  if (is_missing_table(db)) {
    return "'action-triggers outbox install FILE' makes the tables, 'action-triggers outbox schema FILE' prints them.";
  }
  if (is_missing_column(db)) return "'action-triggers outbox verify FILE' says what the tables lack.";
  return "";
}

}  // namespace

std::string sqlite_error_text(sqlite3* db, int code, std::string_view doing, const std::string& path) {
  std::string text(doing);
  text += " failed: ";
  text += db == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db);
  const int primary = code & 0xFF;
  const int system_error = db == nullptr ? 0 : sqlite3_system_errno(db);
  if (system_error != 0 && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN)) {
    text += " (" + std::generic_category().message(system_error) + ")";
  }
  text += ", in '" + path + "'.";
  if (const std::string advice = way_out(db, code); !advice.empty()) text += " " + advice;
  return text;
}

}  // namespace action_triggers::detail
