// SPDX-License-Identifier: MIT
#include "databases/sqlite/application_transaction.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace action_triggers::detail {
namespace {

/// The connections that have a transaction of ours. A second one would commit what is the first one's.
class Connections {
 public:
  void enter(sqlite3* db) {
    const std::lock_guard lock(mutex_);
    if (std::find(all_.begin(), all_.end(), db) != all_.end()) {
      throw std::logic_error(
          "There is a SqliteTransaction or SqliteScope on this connection already: use that one, and its savepoints.");
    }
    all_.push_back(db);
  }
  void leave(sqlite3* db) noexcept {
    const std::lock_guard lock(mutex_);
    all_.erase(std::remove(all_.begin(), all_.end(), db), all_.end());
  }

 private:
  std::mutex mutex_;
  std::vector<sqlite3*> all_;
};

Connections& connections() {
  static Connections all;
  return all;
}

std::string savepoint_name(std::uint64_t number) { return "action_triggers_" + std::to_string(number); }

}  // namespace

ApplicationTransaction::ApplicationTransaction(sqlite3* db) : handle_(db) {
  connections().enter(db);
  try {
    begin_or_take_over();
  } catch (...) {
    connections().leave(db);
    throw;
  }
}

void ApplicationTransaction::begin_or_take_over() {
  if (!handle_.is_in_transaction()) {
    unless_busy([this] {
      // What reads first and writes later may find that it cannot.
      if (!begin_) begin_.emplace(handle_, "BEGIN IMMEDIATE", "Beginning a transaction");
      begin_->run();
    });
  }
  is_open_ = true;
}

void ApplicationTransaction::begin() {
  if (is_open_) throw std::logic_error("The transaction has not ended yet: commit it, or roll it back.");
  keeps_statements_ = true;
  begin_or_take_over();
}

ApplicationTransaction::~ApplicationTransaction() {
  rollback();
  connections().leave(handle_.get());
}

void ApplicationTransaction::require_open() const {
  if (!is_open_) throw std::logic_error("The transaction has ended: a new one needs a new object.");
  if (handle_.is_in_transaction()) return;
  throw std::runtime_error(
      "The transaction was ended by other means, by a statement of the application or by SQLite after an error: its "
      "messages are not sent.");
}

void ApplicationTransaction::commit() {
  unless_busy([this] {
    if (!commit_) commit_.emplace(handle_, "COMMIT", "Committing");
    commit_->run();
  });
  end();
}

void ApplicationTransaction::end() noexcept {
  is_open_ = false;
  if (keeps_statements_) return;
  begin_.reset();
  commit_.reset();
}

std::uint64_t ApplicationTransaction::savepoint() {
  handle_.execute("SAVEPOINT " + savepoint_name(savepoints_ + 1), "Making a savepoint");
  return ++savepoints_;
}

void ApplicationTransaction::rollback_to(std::uint64_t savepoint) {
  handle_.execute("ROLLBACK TO " + savepoint_name(savepoint), "Rolling back to a savepoint");
}

void ApplicationTransaction::release(std::uint64_t savepoint) {
  handle_.execute("RELEASE " + savepoint_name(savepoint), "Releasing a savepoint");
}

void ApplicationTransaction::rollback() noexcept {
  if (!is_open_) return;
  end();
  // In a child of fork() it is the parent's. Fails only where SQLite has rolled back already.
  if (handle_.is_ours() && handle_.is_in_transaction()) {
    sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

}  // namespace action_triggers::detail
