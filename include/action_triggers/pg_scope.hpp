// SPDX-License-Identifier: MIT
/// A commit scope that follows the transactions of a PostgreSQL connection by itself. Link action_triggers::postgresql.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "action_triggers/commit_scope.hpp"
#include "action_triggers/delivery.hpp"
#include "action_triggers/emission.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/fire_overloads.hpp"
#include "action_triggers/message.hpp"

struct pg_conn;  // libpq's PGconn

namespace action_triggers {

class TriggerDispatcher;

struct PgScopeOptions {
  /// What a fire does while no transaction is open.
  enum class Outside : std::uint8_t {
    send,    ///< It is sent at once.
    refuse,  ///< It throws std::logic_error.
  };
  /// What becomes of messages when the connection is lost, so that nobody knows whether the server has committed.
  enum class Unknown : std::uint8_t {
    drop,  ///< As after a rollback.
    ask,   ///< They are held until PgScope::ask(). Costs a round trip at the first fire of a transaction.
  };

  Outside outside = Outside::send;
  Unknown on_unknown = Unknown::drop;
};

/// Messages of a connection's transactions: what is fired is sent when the server has committed, and dropped, with the
/// status rolled_back, when it has rolled back. It sees COMMIT, ROLLBACK and savepoints in the results that libpq
/// reads, whoever sends the statements: the application, libpqxx, an ORM. A COMMIT that the server answers with
/// ROLLBACK, since a statement had failed, is a rollback.
///
///     at::PgScope scope(dispatcher, connection);   // for as long as the connection, or for one transaction
///     …BEGIN, INSERT …
///     scope.fire("order_events", message);
///     …COMMIT                                      // is sent now
///
/// A crash between COMMIT and the broker's confirmation loses the message; PgOutbox does not.
///
/// Savepoints: of those that are made with other means than savepoint(), a result does not say the name. So after a
/// ROLLBACK TO, all is dropped that was fired since the first of them: what may have been undone is never sent. In a
/// transaction that was open when the scope was made, that is all. While there are such savepoints, do not use ROLLBACK
/// AND CHAIN: its result is that of ROLLBACK TO, and what was fired before them would go with the next transaction.
/// PREPARE TRANSACTION counts as a rollback.
///
/// Threads: one at a time, as the connection. Callbacks of messages that are dropped run while the application reads
/// the statement's result; they must not use the connection. The dispatcher need not outlive it (see CommitScope), and
/// the connection may be closed before it.
class ACTION_TRIGGERS_EXPORT PgScope : public FireOverloads<PgScope> {
 public:
  /// Throws std::logic_error if the connection has a PgScope, std::bad_alloc.
  PgScope(TriggerDispatcher& dispatcher, pg_conn* connection, PgScopeOptions options = {});
  /// Drops what it holds, also what nobody has asked for. The transaction is the application's, and stays as it is.
  ~PgScope();
  PgScope(const PgScope&) = delete;
  PgScope& operator=(const PgScope&) = delete;

  /// As CommitScope::fire() and emit(), with the same arguments. Throws std::logic_error while a command is under way
  /// on the connection, or where PgScopeOptions refuse it; std::runtime_error if the connection is lost, or its
  /// transaction has failed and can only be rolled back.
  Delivery fire(std::string_view destination, const Message& message);
  Delivery fire(std::string_view destination, const Message& message, DeliveryCallback callback);
  Delivery fire(std::string_view destination, std::string_view body);
  Delivery fire(std::string_view destination, std::string_view body, DeliveryCallback callback);
  Emission emit(std::string_view event, const Message& message);
  Emission emit(std::string_view event, const Message& message, const DeliveryCallback& callback);
  Emission emit(std::string_view event, std::string_view payload);
  Emission emit(std::string_view event, std::string_view payload, const DeliveryCallback& callback);
  using FireOverloads::emit;
  using FireOverloads::fire;

  /// A savepoint of the transaction and of the messages, exactly. Throws std::runtime_error with the server's words.
  class Savepoint {
   private:
    friend class PgScope;
    explicit Savepoint(std::uint64_t number) noexcept : number_(number) {}
    std::uint64_t number_;
  };
  [[nodiscard]] Savepoint savepoint();
  void rollback_to(Savepoint savepoint);
  void release(Savepoint savepoint);

  /// How many messages it holds.
  [[nodiscard]] std::size_t size() const noexcept;

  /// Whether it holds messages of a transaction of which nobody knows whether it has committed (Unknown::ask).
  [[nodiscard]] bool is_unknown() const noexcept;
  /// Asks the same server on another connection, and sends or drops them. False: the server has not noticed yet that
  /// the connection is lost; ask again. Throws std::runtime_error if it cannot be asked or does not know any more (then
  /// they are still held).
  bool ask(pg_conn* connection);

 private:
  class State;
  CommitScope& open();
  template <class Fire>
  auto inside(Fire fire);

  std::shared_ptr<State> state_;
};

}  // namespace action_triggers
