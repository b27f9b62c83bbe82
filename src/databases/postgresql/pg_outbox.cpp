// SPDX-License-Identifier: MIT
// The application's side: its connection, its transaction.
#include <libpq-events.h>
#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "action_triggers/postgresql.hpp"
#include "databases/postgresql/pg_errors.hpp"
#include "databases/postgresql/pg_inserts.hpp"
#include "databases/postgresql/pg_tables.hpp"
#include "databases/postgresql/pg_values.hpp"
#include "databases/postgresql/postgresql_driver.hpp"
#include "outbox/outbox_row.hpp"

namespace action_triggers {
namespace {

using detail::PgResult;

// Of one INSERT.
constexpr std::size_t most_rows = 10'000;
constexpr std::size_t most_bytes = 64U << 20;

PgError error_of(const char* tried, const PGconn* connection, const PGresult* result) {
  const std::string sqlstate = detail::pg_sqlstate(result);
  const char* message = result == nullptr ? "" : PQresultErrorMessage(result);
  if (*message == '\0') message = PQerrorMessage(connection);
  return {detail::pg_error_text(tried, sqlstate, message), sqlstate};
}

std::string savepoint_name(std::uint64_t number) { return "action_triggers_" + std::to_string(number); }

}  // namespace

PgOutbox::PgOutbox(TriggerDispatcher& dispatcher) : Outbox(dispatcher, detail::postgresql_driver()) {}

PgError::PgError(const std::string& text, std::string sqlstate)
    : std::runtime_error(text), sqlstate_(std::move(sqlstate)) {}

PgCommitUnknown::PgCommitUnknown(const std::string& text, std::string transaction_id)
    : PgError(text, "08007"), transaction_id_(std::move(transaction_id)) {}

PgCommitUnknown::Outcome PgCommitUnknown::ask(pg_conn* connection) const {
  if (transaction_id_.empty()) return Outcome::unknown;
  const PgResult result = detail::pg_transaction_status(connection, transaction_id_);
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
    throw error_of("asking whether a transaction has committed", connection, result.get());
  }
  const std::string status = result.text(0, 0);
  if (status == "committed") return Outcome::committed;
  if (status == "aborted") return Outcome::rolled_back;
  return status == "in progress" ? Outcome::in_progress : Outcome::unknown;
}

/// libpq keeps for the connection which PgTransaction it has, and says when it is closed, and what the server answers.
class PgTransaction::Events {
 public:
  static PgTransaction* current(const PGconn* connection) {
    return static_cast<PgTransaction*>(PQinstanceData(connection, procedure));
  }

  static void set(PGconn* connection, PgTransaction* transaction) {
    if (PQsetInstanceData(connection, procedure, transaction) != 0) return;
    // Not known to the connection yet.
    if (PQregisterEventProc(connection, procedure, "action_triggers transaction", nullptr) == 0) throw std::bad_alloc();
    PQsetInstanceData(connection, procedure, transaction);
  }
  static void clear(PGconn* connection) noexcept { PQsetInstanceData(connection, procedure, nullptr); }

 private:
  static int procedure(PGEventId id, void* info, void* /*unused*/) {
    switch (id) {
      case PGEVT_RESULTCREATE: {
        const auto* const created = static_cast<PGEventResultCreate*>(info);
        if (PgTransaction* const transaction = current(created->conn)) see(*transaction, created->result);
        break;
      }
      case PGEVT_CONNRESET:
        if (PgTransaction* const transaction = current(static_cast<PGEventConnReset*>(info)->conn)) {
          transaction->was_ended_ = true;
        }
        break;
      case PGEVT_CONNDESTROY:
        if (PgTransaction* const transaction = current(static_cast<PGEventConnDestroy*>(info)->conn)) {
          transaction->connection_ = nullptr;
          transaction->clear();
        }
        break;
      default:
        break;
    }
    return 1;
  }

  /// A ROLLBACK may be one to a savepoint, and an error no more than that: what begins anew after them says it.
  static void see(PgTransaction& transaction, PGresult* result) noexcept {
    const std::string_view tag = PQcmdStatus(result);
    const bool begins = tag == "BEGIN" || tag == "START TRANSACTION";
    if (tag == "COMMIT" || tag == "PREPARE TRANSACTION" || (begins && transaction.may_have_ended_)) {
      transaction.was_ended_ = true;
    } else if (tag == "ROLLBACK" || PQresultStatus(result) == PGRES_FATAL_ERROR) {
      transaction.may_have_ended_ = true;
    }
  }
};

PgTransaction::PgTransaction(PgOutbox& outbox, pg_conn* connection)
    : OutboxTransaction(outbox), connection_(connection) {
  if (Events::current(connection) != nullptr) {
    throw std::logic_error("There is a PgTransaction on this connection already: use that one, and its savepoints.");
  }
  begin();
  try {
    Events::set(connection, this);
  } catch (...) {
    rollback();
    throw;
  }
}

PgTransaction::~PgTransaction() { rollback(); }

void PgTransaction::begin() {
  switch (PQtransactionStatus(connection_)) {
    case PQTRANS_IDLE:
      detail::PgInserts::of(connection_).prepare();
      execute("BEGIN", "beginning a transaction");
      break;
    case PQTRANS_INTRANS:
      break;
    case PQTRANS_ACTIVE:
      throw std::logic_error("A command is under way on the connection: read its results first.");
    case PQTRANS_INERROR:
      throw PgError("The connection's transaction has failed: roll it back first.", "25P02");
    case PQTRANS_UNKNOWN:
      throw error_of("beginning a transaction", connection_, nullptr);
  }
  is_open_ = true;
}

void PgTransaction::execute(const std::string& statement, const char* tried) {
  const PgResult result(PQexec(connection_, statement.c_str()));
  if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) throw error_of(tried, connection_, result.get());
}

void PgTransaction::require_open() const {
  if (!is_open_) throw std::logic_error("The PgTransaction has ended: a new one needs a new object.");
  if (connection_ == nullptr) throw PgError("The connection was closed: its transaction is rolled back.", "08003");
  if (!was_ended_ && PQtransactionStatus(connection_) != PQTRANS_IDLE) return;
  throw PgError(
      "The transaction was ended by other means: its " + std::to_string(size()) + " messages are not written.",
      "25P01");
}

void PgTransaction::write_messages() {
  for (std::size_t from = 0; from < rows().size();) {
    std::size_t to = from;
    for (std::size_t bytes = 0; to < rows().size() && to - from < most_rows && bytes < most_bytes; ++to) {
      bytes += bytes_of(rows()[to]);
    }
    write_messages(from, to);
    from = to;
  }
}

void PgTransaction::write_messages(std::size_t from, std::size_t to) {
  const PgResult result =
      detail::PgInserts::of(connection_).execute(config(), std::span(rows()).subspan(from, to - from));
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) throw error_of("writing messages", connection_, result.get());
  if (result.rows() > 0) transaction_id_ = result.text(0, 0);
}

void PgTransaction::write() {
  require_open();
  write_messages();
  end();  // it is the other layer's
}

void PgTransaction::commit() {
  require_open();
  write_messages();
  const bool has_messages = size() > 0;
  if (PQsendQuery(connection_, "COMMIT") == 0) throw error_of("committing", connection_, nullptr);
  PgResult last(nullptr);
  while (PGresult* const result = PQgetResult(connection_)) last = PgResult(result);
  finish_commit(last.get());
  if (has_messages) {
    outbox().committed();
    tell_others();
  }
  end();
}

void PgTransaction::finish_commit(pg_result* result) {
  if (PQstatus(connection_) == CONNECTION_BAD) {
    const PgCommitUnknown error("The connection was lost in COMMIT, and the transaction may have committed: " +
                                    detail::pg_message(PQerrorMessage(connection_)),
                                transaction_id_);
    end();
    throw error;
  }
  if (PQresultStatus(result) != PGRES_COMMAND_OK) {
    const PgError error = error_of("committing", connection_, result);
    end();  // the server has rolled back
    throw error;
  }
  if (std::string_view(PQcmdStatus(result)) != "COMMIT") {
    end();
    throw PgError("An earlier statement of the transaction has failed: it is rolled back, and nothing is sent.",
                  "25P02");
  }
}

/// Outside the transaction, without waiting for the disk; at most one in 20 ms, since who was told reads again soon.
void PgTransaction::tell_others() noexcept {
  if (config().notify != detail::OutboxNotify::after_commit) return;
  using std::chrono::steady_clock;
  static std::atomic<steady_clock::rep> last_told{steady_clock::time_point::min().time_since_epoch().count()};
  const auto now = steady_clock::now().time_since_epoch();
  steady_clock::rep last = last_told.load(std::memory_order_relaxed);
  if (last > (now - std::chrono::milliseconds(20)).count()) return;
  if (!last_told.compare_exchange_strong(last, now.count(), std::memory_order_relaxed)) return;
  const std::string statement =
      "SELECT set_config('synchronous_commit', 'off', true), pg_notify('" + std::string(detail::pg_channel) + "', '')";
  PQclear(PQexec(connection_, statement.c_str()));
}

void PgTransaction::rollback() noexcept {
  if (!is_open_) return;
  // What was begun since is not ours.
  if (connection_ != nullptr && !was_ended_ && PQtransactionStatus(connection_) != PQTRANS_IDLE) {
    PQclear(PQexec(connection_, "ROLLBACK"));  // fails only with the connection, and with that the transaction
  }
  end();
}

void PgTransaction::end() noexcept {
  is_open_ = false;
  clear();
  if (connection_ != nullptr) Events::clear(connection_);
  connection_ = nullptr;
}

PgTransaction::Savepoint PgTransaction::savepoint() {
  require_open();
  Savepoint made;
  made.number_ = ++savepoints_;
  made.messages_ = size();
  execute("SAVEPOINT " + savepoint_name(made.number_), "making a savepoint");
  return made;
}

void PgTransaction::rollback_to(const Savepoint& savepoint) {
  require_open();
  execute("ROLLBACK TO SAVEPOINT " + savepoint_name(savepoint.number_), "rolling back to a savepoint");
  keep(std::min(savepoint.messages_, size()));
}

void PgTransaction::release(const Savepoint& savepoint) {
  require_open();
  execute("RELEASE SAVEPOINT " + savepoint_name(savepoint.number_), "releasing a savepoint");
}

}  // namespace action_triggers
