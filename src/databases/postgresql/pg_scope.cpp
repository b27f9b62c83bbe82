// SPDX-License-Identifier: MIT
#include "action_triggers/pg_scope.hpp"

#include <libpq-events.h>
#include <libpq-fe.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "action_triggers/trigger_dispatcher.hpp"
#include "databases/postgresql/pg_values.hpp"

namespace action_triggers {
namespace {

using detail::PgResult;

bool is_lost(const PGconn* connection) { return PQstatus(connection) == CONNECTION_BAD; }

void require_no_command(const PGconn* connection) {
  if (PQtransactionStatus(connection) != PQTRANS_ACTIVE) return;
  throw std::logic_error("a command is under way on the connection of the PgScope: read its results first");
}

std::string savepoint_command(std::uint64_t number) {
  return "SAVEPOINT action_triggers_scope_" + std::to_string(number);
}

}  // namespace

/// What the results of a connection say. libpq has it as the connection's instance data, and results whose meaning
/// depends on what comes after them have a reference to it: it is known when they are freed.
class PgScope::State {
 public:
  State(TriggerDispatcher& dispatcher, PGconn* of_connection, PgScopeOptions with_options)
      : messages(dispatcher), connection(of_connection), options(with_options) {}

  /// Of one savepoint, as far as it is known.
  struct Known {
    CommitScope::Savepoint place;
    std::uint64_t number;  // of ours; 0: somebody else's
  };

  /// Lives as long as the caller has it, though a callback may destroy the scope.
  static std::shared_ptr<State> of(const PGconn* with) {
    const State* const state = static_cast<State*>(PQinstanceData(with, procedure));
    return state == nullptr ? nullptr : state->self_.lock();
  }
  static void bind(const std::shared_ptr<State>& state);
  static void unbind(State& state) { PQsetInstanceData(state.connection, procedure, nullptr); }

  void see(PGresult* result) noexcept;
  void settle();
  void end(bool has_committed);
  void connection_is_lost();
  void look();
  void note_transaction();
  void run(const std::string& statement);
  /// Of one of our savepoints.
  std::vector<Known>::iterator run_of(const std::string& command, std::uint64_t number);

  CommitScope messages;
  PGconn* connection;  // null: closed
  const PgScopeOptions options;
  std::vector<Known> savepoints;   // at least those that there are; the oldest first
  std::uint64_t made = 0;          // savepoints of ours
  bool is_ours = false;            // the statement under way is one of ours
  bool may_have_ended = false;     // the transaction; the connection will say it when it is idle
  bool has_failed = false;         // a statement of it, and nothing was rolled back since
  bool misses_savepoints = false;  // made before the scope was, or there was no memory for one
  bool is_unknown = false;         // whether the server has committed
  std::string transaction_id;      // an xid8, if it was asked for

 private:
  static int procedure(PGEventId id, void* info, void* pass_through);
  void watch(PGresult* result);
  void see_rollback(PGresult* result);
  void see_savepoint() noexcept;
  void see_release() noexcept;

  std::weak_ptr<State> self_;
};

void PgScope::State::bind(const std::shared_ptr<State>& state) {
  state->self_ = state;
  PGconn* const connection = state->connection;
  if (PQsetInstanceData(connection, procedure, state.get()) != 0) return;
  // Not known to the connection yet.
  if (PQregisterEventProc(connection, procedure, "action_triggers scope", nullptr) == 0) throw std::bad_alloc();
  PQsetInstanceData(connection, procedure, state.get());
}

int PgScope::State::procedure(PGEventId id, void* info, void* /*pass_through*/) {
  switch (id) {
    case PGEVT_RESULTCREATE: {
      const auto* const created = static_cast<PGEventResultCreate*>(info);
      if (const auto state = of(created->conn)) state->see(created->result);
      break;
    }
    case PGEVT_RESULTDESTROY: {
      PGresult* const result = static_cast<PGEventResultDestroy*>(info)->result;
      const std::unique_ptr<std::weak_ptr<State>> watched(
          static_cast<std::weak_ptr<State>*>(PQresultInstanceData(result, procedure)));
      const std::shared_ptr<State> state = watched == nullptr ? nullptr : watched->lock();
      if (state != nullptr) state->settle();
      break;
    }
    case PGEVT_CONNRESET:
      if (const auto state = of(static_cast<PGEventConnReset*>(info)->conn)) state->connection_is_lost();
      break;
    case PGEVT_CONNDESTROY:
      if (const auto state = of(static_cast<PGEventConnDestroy*>(info)->conn)) {
        state->connection_is_lost();  // or closed: libpq does not say
        state->connection = nullptr;
      }
      break;
    default:
      break;
  }
  return 1;
}

/// Its end will say whether the transaction is still open.
void PgScope::State::watch(PGresult* result) {
  may_have_ended = true;
  std::unique_ptr<std::weak_ptr<State>> reference(new (std::nothrow) std::weak_ptr<State>(self_));
  if (reference != nullptr && PQresultSetInstanceData(result, procedure, reference.get()) != 0) {
    static_cast<void>(reference.release());
  }
}

void PgScope::State::see(PGresult* result) noexcept {
  if (is_ours || is_unknown) return;
  if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
    if (messages.empty() && savepoints.empty()) return;
    has_failed = PQresultErrorField(result, PG_DIAG_SQLSTATE) != nullptr;  // the server said it, not libpq
    watch(result);  // a COMMIT that fails has ended the transaction
    return;
  }
  if (PQresultStatus(result) != PGRES_COMMAND_OK) return;
  const std::string_view tag = PQcmdStatus(result);
  if (tag == "COMMIT") {
    end(!has_failed);  // the server would have said ROLLBACK: what failed was a COMMIT, and this is one of nothing
  } else if (tag == "ROLLBACK") {
    see_rollback(result);
  } else if (tag == "SAVEPOINT") {
    see_savepoint();
  } else if (tag == "RELEASE") {
    see_release();
  } else if (tag == "PREPARE TRANSACTION" || (may_have_ended && (tag == "BEGIN" || tag == "START TRANSACTION"))) {
    end(false);
  }
}

/// ROLLBACK and ROLLBACK TO look the same. Of the savepoints any may be the one, so all are kept, though nothing is
/// left of what was fired after the first: a RELEASE takes one of them away.
void PgScope::State::see_rollback(PGresult* result) {
  has_failed = false;
  if (misses_savepoints) {
    savepoints.clear();
    messages.rollback();
    watch(result);
    return;
  }
  const auto first =
      std::find_if(savepoints.begin(), savepoints.end(), [](const Known& known) { return known.number == 0; });
  if (first == savepoints.end()) {
    end(false);
    return;
  }
  std::fill(first + 1, savepoints.end(), *first);
  messages.rollback_to(first->place);
  watch(result);
}

void PgScope::State::see_savepoint() noexcept {
  try {
    savepoints.reserve(savepoints.size() + 1);
    savepoints.push_back({messages.savepoint(), 0});
  } catch (const std::bad_alloc&) {
    misses_savepoints = true;
  }
}

/// Which one is not known: perhaps older ones, too. What was fired since belongs to the one before, in any case.
void PgScope::State::see_release() noexcept {
  if (!savepoints.empty() && savepoints.back().number == 0) savepoints.pop_back();
}

void PgScope::State::settle() {
  if (!may_have_ended || connection == nullptr) return;
  switch (PQtransactionStatus(connection)) {
    case PQTRANS_IDLE:
      end(false);
      break;
    case PQTRANS_INTRANS:
    case PQTRANS_INERROR:
      may_have_ended = false;
      break;
    case PQTRANS_ACTIVE:
      break;
    case PQTRANS_UNKNOWN:
      connection_is_lost();
      break;
  }
}

void PgScope::State::end(bool has_committed) {
  savepoints.clear();
  may_have_ended = false;
  has_failed = false;
  misses_savepoints = false;
  is_unknown = false;
  transaction_id.clear();
  if (has_committed) {
    messages.commit();
  } else {
    messages.rollback();
  }
}

void PgScope::State::connection_is_lost() {
  if (is_unknown) return;
  if (options.on_unknown == PgScopeOptions::Unknown::ask && !transaction_id.empty() && !messages.empty()) {
    is_unknown = true;
  } else {
    end(false);
  }
}

/// libpq tells nobody that a connection is lost.
void PgScope::State::look() {
  if (connection != nullptr && is_lost(connection)) connection_is_lost();
}

/// For ask().
void PgScope::State::note_transaction() {
  if (options.on_unknown != PgScopeOptions::Unknown::ask || !transaction_id.empty()) return;
  const PgResult result(PQexec(connection, "SELECT pg_current_xact_id()"));
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) throw std::runtime_error(PQerrorMessage(connection));
  transaction_id = result.text(0, 0);
}

void PgScope::State::run(const std::string& statement) {
  require_no_command(connection);  // its result would be taken for ours
  is_ours = true;
  const PgResult result(PQexec(connection, statement.c_str()));
  is_ours = false;
  if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) return;
  const std::string words = PQerrorMessage(connection);
  look();
  throw std::runtime_error(statement + ": " + words);
}

std::vector<PgScope::State::Known>::iterator PgScope::State::run_of(const std::string& command, std::uint64_t number) {
  const auto found = std::find_if(savepoints.begin(), savepoints.end(),
                                  [number](const Known& known) { return known.number == number; });
  if (found == savepoints.end()) throw std::invalid_argument("the savepoint is not there any more");
  if (connection == nullptr) throw std::runtime_error("the connection of the PgScope was closed");
  run(command + savepoint_command(number));
  return found;
}

// --------------------------------------------------------------------------------------------------------- the public

PgScope::PgScope(TriggerDispatcher& dispatcher, pg_conn* connection, PgScopeOptions options)
    : state_(std::make_shared<State>(dispatcher, connection, options)) {
  if (State::of(connection) != nullptr) throw std::logic_error("the connection has a PgScope already");
  state_->misses_savepoints = PQtransactionStatus(connection) != PQTRANS_IDLE;
  State::bind(state_);
}

PgScope::~PgScope() {
  if (state_->connection != nullptr) State::unbind(*state_);
  state_->end(false);
}

CommitScope& PgScope::open() {
  State& state = *state_;
  state.look();
  if (state.is_unknown) {
    throw std::runtime_error("the PgScope holds messages of a transaction whose end is not known: call ask() first");
  }
  if (state.connection == nullptr) throw std::runtime_error("the connection of the PgScope was closed");
  state.settle();
  require_no_command(state.connection);
  switch (PQtransactionStatus(state.connection)) {
    case PQTRANS_IDLE:
      if (state.options.outside == PgScopeOptions::Outside::refuse) {
        throw std::logic_error(
            "a PgScope was fired in while no transaction is open; begin one, or choose Outside::send");
      }
      break;
    case PQTRANS_INTRANS:
      state.note_transaction();
      break;
    case PQTRANS_INERROR:
      throw std::runtime_error("the transaction of the PgScope's connection has failed, and can only be rolled back");
    case PQTRANS_ACTIVE:
    case PQTRANS_UNKNOWN:
      throw std::runtime_error("the connection of the PgScope is lost");
  }
  return state.messages;
}

template <class Fire>
auto PgScope::inside(Fire fire) {
  auto fired = fire(open());
  if (PQtransactionStatus(state_->connection) == PQTRANS_IDLE) state_->messages.commit();
  return fired;
}

Delivery PgScope::fire(std::string_view destination, const Message& message) {
  return inside([&](CommitScope& scope) { return scope.fire(destination, message); });
}

Delivery PgScope::fire(std::string_view destination, const Message& message, DeliveryCallback callback) {
  return inside([&](CommitScope& scope) { return scope.fire(destination, message, std::move(callback)); });
}

Delivery PgScope::fire(std::string_view destination, std::string_view body) {
  return inside([&](CommitScope& scope) { return scope.fire(destination, body); });
}

Delivery PgScope::fire(std::string_view destination, std::string_view body, DeliveryCallback callback) {
  return inside([&](CommitScope& scope) { return scope.fire(destination, body, std::move(callback)); });
}

Emission PgScope::emit(std::string_view event, const Message& message) {
  return inside([&](CommitScope& scope) { return scope.emit(event, message); });
}

Emission PgScope::emit(std::string_view event, const Message& message, const DeliveryCallback& callback) {
  return inside([&](CommitScope& scope) { return scope.emit(event, message, callback); });
}

Emission PgScope::emit(std::string_view event, std::string_view payload) {
  return inside([&](CommitScope& scope) { return scope.emit(event, payload); });
}

Emission PgScope::emit(std::string_view event, std::string_view payload, const DeliveryCallback& callback) {
  return inside([&](CommitScope& scope) { return scope.emit(event, payload, callback); });
}

PgScope::Savepoint PgScope::savepoint() {
  State& state = *state_;
  static_cast<void>(open());
  const std::uint64_t number = ++state.made;
  state.savepoints.reserve(state.savepoints.size() + 1);
  const CommitScope::Savepoint place = state.messages.savepoint();
  state.run(savepoint_command(number));
  state.savepoints.push_back({place, number});
  return Savepoint(number);
}

void PgScope::rollback_to(Savepoint savepoint) {
  State& state = *state_;
  const auto found = state.run_of("ROLLBACK TO ", savepoint.number_);
  state.has_failed = false;
  state.messages.rollback_to(found->place);
  state.savepoints.erase(found + 1, state.savepoints.end());
}

void PgScope::release(Savepoint savepoint) {
  State& state = *state_;
  const auto found = state.run_of("RELEASE ", savepoint.number_);
  state.messages.release(found->place);
  state.savepoints.erase(found, state.savepoints.end());
}

std::size_t PgScope::size() const noexcept { return state_->messages.size(); }

bool PgScope::is_unknown() const noexcept {
  state_->look();
  return state_->is_unknown;
}

bool PgScope::ask(pg_conn* connection) {
  State& state = *state_;
  state.look();
  if (!state.is_unknown) return true;
  const PgResult result = detail::pg_transaction_status(connection, state.transaction_id);
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) throw std::runtime_error(PQerrorMessage(connection));
  const std::string status = result.text(0, 0);
  if (status == "in progress") return false;
  if (status.empty())
    throw std::runtime_error("the server does not know any more whether the transaction has committed");
  state.end(status == "committed");
  return true;
}

}  // namespace action_triggers
