// SPDX-License-Identifier: MIT
/// A commit scope that is one with a transaction of an SQLite connection. Link action_triggers::sqlite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "action_triggers/commit_scope.hpp"
#include "action_triggers/export.hpp"

struct sqlite3;

namespace action_triggers {

class TriggerDispatcher;

namespace detail {
class ApplicationTransaction;
}

/// A CommitScope that is one with a transaction of the application's connection: no table and no relay, and so no
/// message after a crash between the commit and the broker's confirmation.
///
///     SqliteScope scope(dispatcher, db);
///     …                                  // the application's own statements on db
///     scope.emit("order.paid", json);
///     scope.commit();                    // COMMIT, then sends
///
/// What fire() and emit() say of capacity, ids and deliveries is CommitScope's. SQLite tells nobody of its savepoints
/// and its end beforehand, so both go through this object; code that commits by itself uses a CommitScope.
///
/// Threads: one at a time, as the connection, which must outlive it.
class ACTION_TRIGGERS_EXPORT SqliteScope : private CommitScope {
 public:
  /// Begins the transaction, or takes over one that is open, as SqliteTransaction does. Throws as that.
  SqliteScope(TriggerDispatcher& dispatcher, sqlite3* db);
  /// rollback(), if it was not committed.
  ~SqliteScope();

  using CommitScope::emit;
  using CommitScope::empty;
  using CommitScope::fire;
  using CommitScope::size;

  /// Commits, then sends. Throws SqliteBusy if it could not commit yet, std::runtime_error if SQLite has rolled back or
  /// the transaction was ended by other means: what it held is reported `rolled_back` then.
  void commit();
  /// Drops the messages, which are reported `rolled_back`, and undoes all that the transaction did. Does nothing after
  /// commit(). What is fired later is held until the destructor drops it.
  void rollback() noexcept;

  /// A place to come back to: of the transaction, and of the messages.
  class Savepoint {
    friend class SqliteScope;
    Savepoint(std::uint64_t number, CommitScope::Savepoint messages) noexcept : number_(number), messages_(messages) {}
    std::uint64_t number_;
    CommitScope::Savepoint messages_;
  };
  [[nodiscard]] Savepoint savepoint();
  /// Undoes what was done since, and drops the messages since; the savepoint stays. Throws std::runtime_error if it is
  /// gone: one before it was rolled back to or released, or the transaction has ended.
  void rollback_to(const Savepoint& savepoint);
  /// Forgets the savepoint, and keeps what was done since.
  void release(const Savepoint& savepoint);

 private:
  const std::unique_ptr<detail::ApplicationTransaction> transaction_;
};

}  // namespace action_triggers
