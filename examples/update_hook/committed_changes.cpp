// SPDX-License-Identifier: MIT
#include "committed_changes.hpp"

#include <iterator>
#include <stdexcept>
#include <utility>

namespace example {
namespace {

using Changes = std::vector<CommittedChanges::Change>;

/// It may not use the database: so it notes which row changed and how.
void on_update(void* collected, int operation, const char* /*database*/, const char* table, sqlite3_int64 row) {
  static_cast<Changes*>(collected)->push_back({operation, table, row});
}

void on_rollback(void* collected) { static_cast<Changes*>(collected)->clear(); }

int authorize(void* /*unused*/, int action, const char*, const char*, const char*, const char*) {
  // For DELETE, "ignore" means: delete the rows one by one, and tell the update hook of each.
  if (action == SQLITE_DELETE) return SQLITE_IGNORE;
  // No hook would say that a part of the transaction was undone.
  return action == SQLITE_SAVEPOINT ? SQLITE_DENY : SQLITE_OK;
}

}  // namespace

CommittedChanges::CommittedChanges(sqlite3* database) : database_(database) {
  sqlite3_update_hook(database_, on_update, &collected_);
  sqlite3_rollback_hook(database_, on_rollback, &collected_);
  sqlite3_set_authorizer(database_, authorize, nullptr);
}

CommittedChanges::~CommittedChanges() {
  sqlite3_update_hook(database_, nullptr, nullptr);
  sqlite3_rollback_hook(database_, nullptr, nullptr);
  sqlite3_set_authorizer(database_, nullptr, nullptr);
}

Changes CommittedChanges::execute(const std::string& sql) {
  for (const char* rest = sql.c_str(); *rest != '\0';) {
    sqlite3_stmt* prepared = nullptr;
    const int result = sqlite3_prepare_v2(database_, rest, -1, &prepared, &rest);
    if (result != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(database_));
    step_through(prepared);
    // No transaction is open any more: what is still there was committed.
    if (sqlite3_get_autocommit(database_) != 0) {
      committed_.insert(committed_.end(), std::make_move_iterator(collected_.begin()),
                        std::make_move_iterator(collected_.end()));
      collected_.clear();
    }
  }
  return std::exchange(committed_, {});
}

void CommittedChanges::step_through(sqlite3_stmt* statement) {
  int result = SQLITE_ROW;
  while (statement != nullptr && result == SQLITE_ROW) result = sqlite3_step(statement);
  const std::string error = sqlite3_errmsg(database_);
  sqlite3_finalize(statement);
  if (statement == nullptr || result == SQLITE_DONE) return;
  // What a failed statement had changed is undone, and the update hook was told of it: end the transaction as well.
  if (sqlite3_get_autocommit(database_) == 0) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  throw std::runtime_error(error);
}

}  // namespace example
