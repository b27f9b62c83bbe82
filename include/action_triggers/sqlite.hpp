// SPDX-License-Identifier: MIT
/// The outbox in an application's SQLite database, and commit scopes that are one with its transactions. Link
/// action_triggers::sqlite; docs/outbox.md says what is promised.
///
/// The application and this library must use the same SQLite library: two copies of it in one process (one linked
/// statically, one not) undo each other's locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "action_triggers/export.hpp"
#include "action_triggers/outbox.hpp"
#include "action_triggers/sqlite_scope.hpp"

struct sqlite3;

namespace action_triggers {

class TriggerDispatcher;

namespace detail {
class ApplicationTransaction;
}  // namespace detail

/// The outbox of a dispatcher whose configuration has `"outbox": {"type": "sqlite", "path": …}`. The relay has a
/// connection of its own.
class ACTION_TRIGGERS_EXPORT SqliteOutbox : public Outbox {
 public:
  /// Starts the relay. Throws std::invalid_argument if the configuration has no such section, std::runtime_error if the
  /// file is missing, cannot be written, is on a network file system, or has not the tables
  /// (`action-triggers outbox install FILE`).
  explicit SqliteOutbox(TriggerDispatcher& dispatcher);
};

/// Another connection had the lock for longer than the application's busy handler waits. The transaction stays open:
/// call commit() again, or roll back.
class ACTION_TRIGGERS_EXPORT SqliteBusy : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A transaction of the application's connection: what is fired and emitted is sent if it commits, and only then.
///
///     SqliteTransaction transaction(outbox, db);
///     …                                            // the application's own statements on db
///     transaction.emit("order.paid", json);
///     transaction.commit();
///
/// It keeps what it has prepared: a thread that commits again and again has one for its connection, and calls begin().
///
/// Threads: one at a time, as the connection. The outbox and the connection must outlive it.
class ACTION_TRIGGERS_EXPORT SqliteTransaction : public OutboxTransaction {
 public:
  /// Begins it (BEGIN IMMEDIATE: what reads first and writes later may find that it cannot). If a transaction is open,
  /// it takes that one over: commit() commits it, the destructor rolls it back. `db` has the outbox's file as its main
  /// database.
  ///
  /// Throws SqliteBusy if another connection has the lock for too long, std::invalid_argument if `db` has another file
  /// open, std::logic_error if there is a SqliteTransaction on `db` already.
  SqliteTransaction(SqliteOutbox& outbox, sqlite3* db);
  /// rollback(), if it was not committed.
  ~SqliteTransaction();

  /// Begins the next one, as the constructor would. Throws as that, and std::logic_error if the last one has not ended.
  /// From then on its statements stay on `db`, which sqlite3_close() closes only after this object's end.
  void begin();
  /// Writes the messages and commits. Throws SqliteBusy if it could not commit yet, std::runtime_error if SQLite has
  /// rolled back (a full disk, say) or the transaction was ended by other means; nothing is sent then.
  void commit();
  /// Drops the messages, and undoes all that the transaction did. Does nothing after commit().
  void rollback() noexcept;

  /// Where another layer, an ORM for example, commits: writes the messages, and leaves the transaction to that layer.
  /// Call it right before the layer's commit, and SqliteOutbox::committed() afterwards. Throws SqliteBusy if it could
  /// not write yet, std::runtime_error as commit().
  void write();

  /// A place to come back to: of the transaction, and of the messages.
  class Savepoint {
   private:
    friend class SqliteTransaction;
    std::uint64_t number_ = 0;
    std::size_t messages_ = 0;
    std::size_t written_ = 0;
  };
  [[nodiscard]] Savepoint savepoint();
  /// Undoes what was done since, and drops the messages since; the savepoint stays. Throws std::runtime_error if it is
  /// gone: one before it was rolled back to or released, or the transaction has ended.
  void rollback_to(const Savepoint& savepoint);
  /// Forgets the savepoint, and keeps what was done since.
  void release(const Savepoint& savepoint);

 private:
  class Statements;

  void write_messages();
  void insert(const detail::NewRow& row);
  void insert_as_one(std::span<const detail::NewRow> rows);
  void end() noexcept;

  const std::unique_ptr<detail::ApplicationTransaction> transaction_;
  const std::unique_ptr<Statements> statements_;
  std::size_t written_ = 0;  // messages that the table has, after a commit() that found it busy
};

}  // namespace action_triggers
