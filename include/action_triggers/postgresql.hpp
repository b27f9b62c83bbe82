// SPDX-License-Identifier: MIT
/// The outbox in an application's PostgreSQL database, and commit scopes that follow its transactions. Link
/// action_triggers::postgresql; docs/outbox.md says what is promised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "action_triggers/export.hpp"
#include "action_triggers/outbox.hpp"
#include "action_triggers/pg_scope.hpp"

struct pg_conn;    // libpq's PGconn
struct pg_result;  // libpq's PGresult

namespace action_triggers {

class TriggerDispatcher;

/// The outbox of a dispatcher whose configuration has `"outbox": {"type": "postgresql", "conninfo": …}`. The relay has
/// a connection of its own.
class ACTION_TRIGGERS_EXPORT PgOutbox : public Outbox {
 public:
  /// Starts the relay. Throws std::invalid_argument if the configuration has no such section, std::runtime_error if the
  /// server cannot be reached, or has not the tables (`action-triggers outbox install FILE`).
  explicit PgOutbox(TriggerDispatcher& dispatcher);
};

/// A statement failed, or the connection is lost: the transaction has not committed, and never will.
class ACTION_TRIGGERS_EXPORT PgError : public std::runtime_error {
 public:
  PgError(const std::string& text, std::string sqlstate);
  /// The server's code, such as "23505"; empty where there is none.
  [[nodiscard]] const std::string& sqlstate() const noexcept { return sqlstate_; }

 private:
  std::string sqlstate_;
};

/// The connection was lost while the server was committing: the transaction may have committed, or not. If it has, its
/// messages are sent.
class ACTION_TRIGGERS_EXPORT PgCommitUnknown : public PgError {
 public:
  PgCommitUnknown(const std::string& text, std::string transaction_id);

  enum class Outcome : std::uint8_t {
    committed,
    rolled_back,
    in_progress,  ///< The server has not noticed yet that the connection is lost: ask again.
    unknown,      ///< It was long ago, or the transaction had no message.
  };
  /// Asks the same server on another connection. (One that has taken over from it may not know.) Throws PgError.
  [[nodiscard]] Outcome ask(pg_conn* connection) const;

 private:
  std::string transaction_id_;  // an xid8; empty: it had no message
};

/// A transaction of the application's connection: what is fired and emitted is sent if it commits, and only then.
///
///     PgTransaction transaction(outbox, connection);
///     …                                            // the application's own statements on the connection
///     transaction.emit("order.paid", json);
///     transaction.commit();
///
/// The connection may be in any of libpq's modes but the pipeline mode, and have any client_encoding.
///
/// Threads: one at a time, as the connection. The outbox must outlive it. If the connection is closed meanwhile, the
/// transaction is rolled back.
class ACTION_TRIGGERS_EXPORT PgTransaction : public OutboxTransaction {
 public:
  /// Begins it (BEGIN, so with the session's isolation level). If a transaction is open, it takes that one over:
  /// commit() commits it, the destructor rolls it back.
  ///
  /// Throws PgError if the connection is lost or its transaction has failed, std::logic_error if a command is under way
  /// on it, or if it has a PgTransaction already.
  PgTransaction(PgOutbox& outbox, pg_conn* connection);
  /// rollback(), if it was not committed.
  ~PgTransaction();

  /// Writes the messages and commits. Throws PgCommitUnknown if the connection is lost meanwhile, PgError if the
  /// transaction is rolled back: as an earlier statement of it had failed (where the server's COMMIT says no error), a
  /// deferred constraint was violated, a message could not be written; or was ended by other means. Nothing is sent
  /// then.
  void commit();
  /// Drops the messages, and undoes all that the transaction did. Does nothing after commit().
  void rollback() noexcept;

  /// Where another layer, an ORM for example, commits: writes the messages, and leaves the transaction to that layer.
  /// Call it right before the layer's commit, and PgOutbox::committed() afterwards. Throws PgError.
  void write();

  /// A place to come back to: of the transaction, and of the messages.
  class Savepoint {
   private:
    friend class PgTransaction;
    std::uint64_t number_ = 0;
    std::size_t messages_ = 0;
  };
  [[nodiscard]] Savepoint savepoint();
  /// Undoes what was done since, and drops the messages since; the savepoint stays. A transaction of which a statement
  /// has failed since goes on. Throws PgError if it is gone: one before it was rolled back to or released, or the
  /// transaction has ended.
  void rollback_to(const Savepoint& savepoint);
  /// Forgets the savepoint, and keeps what was done since.
  void release(const Savepoint& savepoint);

 private:
  class Events;

  void begin();
  void require_open() const;
  void execute(const std::string& statement, const char* tried);
  void write_messages();
  void write_messages(std::size_t from, std::size_t to);
  void finish_commit(pg_result* result);
  void tell_others() noexcept;
  void end() noexcept;

  pg_conn* connection_;  // null: it was closed, or the transaction has ended
  bool is_open_ = false;
  bool may_have_ended_ = false;   // by other means
  bool was_ended_ = false;        // by other means
  std::uint64_t savepoints_ = 0;  // made so far
  std::string transaction_id_;    // once a message was written
};

}  // namespace action_triggers
