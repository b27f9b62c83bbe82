// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_session.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "databases/postgresql/pg_errors.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int tries = 5;  // of a statement that the server wants to be tried again

int milliseconds_until(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
  return static_cast<int>(std::clamp(left, milliseconds{0}, milliseconds{3'600'000}).count());
}

/// False: the deadline came first.
bool wait_for(int fd, short events, steady_clock::time_point deadline) {
  while (true) {
    pollfd entry{fd, events, 0};
    const int ready = poll(&entry, 1, milliseconds_until(deadline));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

bool is_for_another_try(std::string_view sqlstate) { return sqlstate == "40001" || sqlstate == "40P01"; }

/// What holds until the end of the transaction.
std::string setting(std::string_view name, std::string_view value) {
  return "set_config('" + std::string(name) + "', '" + std::string(value) + "', true)";
}

class StatementError : public StoreError {
 public:
  StatementError(const std::string& text, std::string sqlstate) : StoreError(text), sqlstate_(std::move(sqlstate)) {}
  [[nodiscard]] const std::string& sqlstate() const noexcept { return sqlstate_; }

 private:
  std::string sqlstate_;
};

}  // namespace

PgSession::PgSession(Secret conninfo, std::string application_name, PgTimeouts timeouts, PgUse use)
    : conninfo_(std::move(conninfo)), application_name_(std::move(application_name)), timeouts_(timeouts), use_(use) {}

void PgSession::choose_settings() {
  settings_ = "SELECT " + setting("statement_timeout", std::to_string(timeouts_.statement.count()));
  // Such a database keeps any bytes as text. The server would not give them as UTF-8, and one text that is none would
  // end each reading that comes to it.
  const char* const encoding = PQparameterStatus(connection_.get(), "server_encoding");
  if (encoding != nullptr && encoding == std::string_view("SQL_ASCII")) {
    settings_ += ", " + setting("client_encoding", encoding);
  }
  if (use_ == PgUse::by_primary_key) {
    for (const char* way : {"seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin"}) {
      settings_ += ", " + setting("enable_" + std::string(way), "off");
    }
  }
  settings_in_memory_ = settings_ + ", " + setting("synchronous_commit", "off");
}

void PgSession::connect() {
  connection_.reset();
  if (const std::string problem = pg_conninfo_problem(conninfo_.reveal()); !problem.empty()) throw StoreError(problem);
  const std::string timeout = std::to_string(timeouts_.statement.count());
  // What comes later counts. tcp_user_timeout also ends a PQcancel() that nobody answers.
  const std::array keywords{"fallback_application_name", "tcp_user_timeout",
                            "keepalives_idle",           "dbname",
                            "client_encoding",           static_cast<const char*>(nullptr)};
  const std::array values{application_name_.c_str(),  timeout.c_str(), "30",
                          conninfo_.reveal().c_str(), "UTF8",          static_cast<const char*>(nullptr)};
  Connection connection(PQconnectStartParams(keywords.data(), values.data(), 1), PQfinish);
  if (connection == nullptr) throw StoreError("outbox in PostgreSQL: no memory for a connection");
  connection_ = std::move(connection);
  poll_until_connected(steady_clock::now() + timeouts_.connect);
  choose_settings();
  PQsetnonblocking(connection_.get(), 1);
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
}

void PgSession::poll_until_connected(Deadline deadline) {
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (status == PGRES_POLLING_FAILED || PQstatus(connection_.get()) == CONNECTION_BAD) {
      const std::string message = PQerrorMessage(connection_.get());
      connection_.reset();
      // libpq does not say the SQLSTATE of a refused connection.
      const bool is_login = message.find("authentication failed") != std::string::npos ||
                            message.find("no password supplied") != std::string::npos ||
                            message.find("pg_hba.conf") != std::string::npos;
      const bool is_absent =
          message.find("database") != std::string::npos && message.find("does not exist") != std::string::npos;
      throw StoreError(pg_error_text("connecting", is_login ? "28000" : is_absent ? "3D000" : "", message));
    }
    const short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (!wait_for(PQsocket(connection_.get()), events, deadline)) {
      connection_.reset();
      throw StoreError(pg_error_text("connecting", "",
                                     "no answer within " + std::to_string(timeouts_.connect.count()) +
                                         " ms; check host and port in outbox.conninfo, and whether the server runs"));
    }
    status = PQconnectPoll(connection_.get());
  }
}

void PgSession::require_open(std::string_view tried) const {
  if (connection_ == nullptr) throw StoreError(pg_error_text(tried, "", "there is no connection"));
}

void PgSession::throw_lost(std::string_view tried) {
  const std::string message = PQerrorMessage(connection_.get());
  connection_.reset();
  throw StoreError(pg_error_text(tried, "08006", message));
}

void PgSession::throw_late(std::string_view tried) {
  // The server has its own timeout, and did not say so. Unless it has gone, it would go on waiting.
  if (PGcancel* cancel = PQgetCancel(connection_.get()); cancel != nullptr) {
    std::array<char, 256> error{};
    PQcancel(cancel, error.data(), static_cast<int>(error.size()));
    PQfreeCancel(cancel);
  }
  connection_.reset();
  throw StoreError(
      pg_error_text(tried, "57014", "no answer within " + std::to_string(timeouts_.statement.count()) + " ms"));
}

void PgSession::send_and_receive(std::string_view tried, Deadline deadline) {
  PGconn* const connection = connection_.get();
  while (true) {
    const int unsent = PQflush(connection);
    if (unsent < 0) throw_lost(tried);
    if (unsent == 0 && PQisBusy(connection) == 0) return;
    const short events = static_cast<short>(POLLIN | (unsent > 0 ? POLLOUT : 0));
    if (!wait_for(PQsocket(connection), events, deadline)) throw_late(tried);
    if (PQconsumeInput(connection) == 0) throw_lost(tried);
  }
}

/// Later than the server's own timeout, whose error says more.
PgSession::Deadline PgSession::deadline() const {
  return steady_clock::now() + timeouts_.statement + std::max<milliseconds>(timeouts_.statement / 4, milliseconds{500});
}

void PgSession::take_result(PGresult* result, Outcome& outcome) {
  PgResult taken(result);
  switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
      outcome.last = std::move(taken);
      return;
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED:  // after one that failed
      return;
    default:
      break;
  }
  if (!outcome.error.empty()) return;
  outcome.error = PQresultErrorMessage(result);
  outcome.sqlstate = pg_sqlstate(result);
}

PgResult PgSession::finish(std::string_view tried, Outcome outcome) {
  read_notifications();
  if (PQstatus(connection_.get()) == CONNECTION_BAD) {
    if (outcome.error.empty()) throw_lost(tried);
    connection_.reset();
  }
  if (!outcome.error.empty()) {
    throw StatementError(pg_error_text(tried, outcome.sqlstate, outcome.error), outcome.sqlstate);
  }
  return std::move(outcome.last);
}

PgResult PgSession::execute_once(std::string_view tried, const std::string& statement, const PgParams& params,
                                 PgCommit commit) {
  require_open(tried);
  const Deadline end = deadline();
  PGconn* const connection = connection_.get();
  const std::string& settings = commit == PgCommit::does_not_wait ? settings_in_memory_ : settings_;
  const int in_binary = 1;
  // What is sent up to a sync is one transaction.
  if (PQenterPipelineMode(connection) == 0 ||
      PQsendQueryParams(connection, settings.c_str(), 0, nullptr, nullptr, nullptr, nullptr, in_binary) == 0 ||
      PQsendQueryParams(connection, statement.c_str(), params.size(), params.types(), params.values(), params.lengths(),
                        params.formats(), in_binary) == 0 ||
      PQpipelineSync(connection) == 0) {
    throw_lost(tried);
  }
  Outcome outcome;
  for (bool is_synchronised = false; !is_synchronised;) {
    send_and_receive(tried, end);
    PGresult* const result = PQgetResult(connection);  // null: the end of one of the two
    if (result == nullptr) {
      if (PQstatus(connection) == CONNECTION_BAD) break;
      continue;
    }
    is_synchronised = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    take_result(result, outcome);
  }
  PQexitPipelineMode(connection);
  return finish(tried, std::move(outcome));
}

PgResult PgSession::execute(std::string_view tried, const std::string& statement, const PgParams& params,
                            PgCommit commit) {
  for (int number = 1;; ++number) {
    try {
      return execute_once(tried, statement, params, commit);
    } catch (const StatementError& error) {
      if (number == tries || !is_open() || !is_for_another_try(error.sqlstate())) throw;
    }
  }
}

void PgSession::run_script(std::string_view tried, const std::string& script) {
  require_open(tried);
  const Deadline end = deadline();
  if (PQsendQuery(connection_.get(), script.c_str()) == 0) throw_lost(tried);
  Outcome outcome;
  while (true) {
    send_and_receive(tried, end);
    PGresult* const result = PQgetResult(connection_.get());
    if (result == nullptr) break;
    take_result(result, outcome);
  }
  finish(tried, std::move(outcome));
}

void PgSession::read_notifications() {
  while (PGnotify* const notification = PQnotifies(connection_.get())) {
    is_notified_ = true;
    PQfreemem(notification);
  }
}

bool PgSession::wait(int wake_fd, milliseconds timeout, bool listens) {
  listens = listens && is_open();
  if (listens && std::exchange(is_notified_, false)) return true;
  const steady_clock::time_point deadline = steady_clock::now() + timeout;
  std::array<pollfd, 2> entries{pollfd{wake_fd, POLLIN, 0}, pollfd{-1, POLLIN, 0}};  // poll() passes over -1
  if (listens) entries[1].fd = PQsocket(connection_.get());
  while (poll(entries.data(), entries.size(), milliseconds_until(deadline)) < 0 && errno == EINTR) {
  }
  if (entries[1].revents == 0) return false;
  if (PQconsumeInput(connection_.get()) == 0) throw_lost("waiting for notifications");
  read_notifications();
  return std::exchange(is_notified_, false);
}

}  // namespace action_triggers::detail
