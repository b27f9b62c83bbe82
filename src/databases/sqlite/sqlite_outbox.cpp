// SPDX-License-Identifier: MIT
// The outbox as the application sees it: its connection, its transaction.
#include <sqlite3.h>

#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "action_triggers/sqlite.hpp"
#include "databases/sqlite/application_transaction.hpp"
#include "databases/sqlite/sqlite_driver.hpp"
#include "databases/sqlite/sqlite_file.hpp"
#include "databases/sqlite/sqlite_rows.hpp"
#include "databases/sqlite/sqlite_schema.hpp"

namespace action_triggers {
namespace {

constexpr std::string_view writing = "Writing to the outbox";

sqlite3* require_same_file(sqlite3* db, const std::string& outbox) {
  const char* name = sqlite3_db_filename(db, "main");
  const std::string theirs = name == nullptr ? "" : name;
  if (theirs == outbox || detail::identity_of(theirs) == detail::identity_of(outbox)) return db;
  throw std::invalid_argument("The connection has '" + theirs + "' open, and the outbox is in '" + outbox +
                              "': one transaction has to be in one file.");
}

}  // namespace

SqliteOutbox::SqliteOutbox(TriggerDispatcher& dispatcher) : Outbox(dispatcher, detail::sqlite_driver()) {}

/// Each is prepared when it is wanted first.
class SqliteTransaction::Statements {
 public:
  Statements(detail::SqliteHandle& handle, const detail::OutboxConfig& config) : handle_(handle), config_(config) {}

  detail::SqliteStatement& insert() {
    if (!insert_) insert_.emplace(handle_, detail::sqlite_insert(config_), writing);
    return *insert_;
  }
  detail::SqliteStatement& savepoint() {
    if (!savepoint_) savepoint_.emplace(handle_, "SAVEPOINT action_triggers_messages", writing);
    return *savepoint_;
  }
  detail::SqliteStatement& release() {
    if (!release_) release_.emplace(handle_, "RELEASE action_triggers_messages", writing);
    return *release_;
  }
  void finalize() noexcept {
    insert_.reset();
    savepoint_.reset();
    release_.reset();
  }

 private:
  detail::SqliteHandle& handle_;
  const detail::OutboxConfig& config_;
  std::optional<detail::SqliteStatement> insert_;
  std::optional<detail::SqliteStatement> savepoint_;
  std::optional<detail::SqliteStatement> release_;
};

SqliteTransaction::SqliteTransaction(SqliteOutbox& outbox, sqlite3* db)
    : OutboxTransaction(outbox),
      transaction_(std::make_unique<detail::ApplicationTransaction>(require_same_file(db, config().path))),
      statements_(std::make_unique<Statements>(transaction_->handle(), config())) {}

SqliteTransaction::~SqliteTransaction() = default;

void SqliteTransaction::begin() { transaction_->begin(); }

/// All of them, or none.
void SqliteTransaction::write_messages() {
  const std::span<const detail::NewRow> all(rows());
  if (written_ == all.size()) return;
  detail::SqliteHandle& handle = transaction_->handle();
  const sqlite3_int64 last_row = sqlite3_last_insert_rowid(handle.get());  // the application may ask for its own
  const std::span<const detail::NewRow> unwritten = all.subspan(written_);
  if (unwritten.size() == 1) {
    insert(unwritten.front());  // or not, as any statement
  } else {
    insert_as_one(unwritten);
  }
  sqlite3_set_last_insert_rowid(handle.get(), last_row);
  written_ = all.size();
}

void SqliteTransaction::insert(const detail::NewRow& row) {
  detail::SqliteStatement& statement = statements_->insert();
  detail::bind_row(statement, row);
  statement.run();
}

void SqliteTransaction::insert_as_one(std::span<const detail::NewRow> rows) {
  statements_->savepoint().run();
  try {
    for (const detail::NewRow& row : rows) insert(row);
  } catch (...) {
    sqlite3_exec(transaction_->handle().get(), "ROLLBACK TO action_triggers_messages; RELEASE action_triggers_messages",
                 nullptr, nullptr, nullptr);
    throw;
  }
  statements_->release().run();
}

void SqliteTransaction::commit() {
  transaction_->require_open();
  detail::unless_busy([this] { write_messages(); });
  transaction_->commit();
  end();
  outbox().committed();
}

void SqliteTransaction::write() {
  transaction_->require_open();
  detail::unless_busy([this] { write_messages(); });
  transaction_->leave();
  end();
}

void SqliteTransaction::rollback() noexcept {
  transaction_->rollback();
  end();
}

void SqliteTransaction::end() noexcept {
  if (!transaction_->keeps_statements()) statements_->finalize();
  written_ = 0;
  clear();
}

SqliteTransaction::Savepoint SqliteTransaction::savepoint() {
  transaction_->require_open();
  Savepoint made;
  made.number_ = transaction_->savepoint();
  made.messages_ = size();
  made.written_ = written_;
  return made;
}

void SqliteTransaction::rollback_to(const Savepoint& savepoint) {
  transaction_->require_open();
  transaction_->rollback_to(savepoint.number_);
  keep(savepoint.messages_);
  written_ = savepoint.written_;
}

void SqliteTransaction::release(const Savepoint& savepoint) {
  transaction_->require_open();
  transaction_->release(savepoint.number_);
}

}  // namespace action_triggers
