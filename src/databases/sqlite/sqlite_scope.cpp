// SPDX-License-Identifier: MIT
#include <memory>
#include <stdexcept>

#include "action_triggers/sqlite_scope.hpp"
#include "databases/sqlite/application_transaction.hpp"

namespace action_triggers {

SqliteScope::SqliteScope(TriggerDispatcher& dispatcher, sqlite3* db)
    : CommitScope(dispatcher), transaction_(std::make_unique<detail::ApplicationTransaction>(db)) {}

SqliteScope::~SqliteScope() { rollback(); }

void SqliteScope::commit() {
  try {
    transaction_->require_open();
    transaction_->commit();
  } catch (...) {
    // Busy: it is as it was. Otherwise nothing that it holds was committed.
    if (!transaction_->handle().is_in_transaction()) rollback();
    throw;
  }
  CommitScope::commit();
}

void SqliteScope::rollback() noexcept {
  transaction_->rollback();
  CommitScope::rollback();
}

SqliteScope::Savepoint SqliteScope::savepoint() {
  transaction_->require_open();
  const CommitScope::Savepoint messages = CommitScope::savepoint();
  try {
    return {transaction_->savepoint(), messages};
  } catch (...) {
    CommitScope::release(messages);
    throw;
  }
}

void SqliteScope::rollback_to(const Savepoint& savepoint) {
  transaction_->require_open();
  transaction_->rollback_to(savepoint.number_);
  CommitScope::rollback_to(savepoint.messages_);
}

void SqliteScope::release(const Savepoint& savepoint) {
  transaction_->require_open();
  transaction_->release(savepoint.number_);
  CommitScope::release(savepoint.messages_);
}

}  // namespace action_triggers
