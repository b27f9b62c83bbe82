// SPDX-License-Identifier: MIT
/// One session with a PostgreSQL server: connected within a time, each statement within another. Nothing is kept in it,
/// so that PgBouncer may give each transaction another server session.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "action_triggers/secret.hpp"
#include "databases/postgresql/pg_values.hpp"

namespace action_triggers::detail {

struct PgTimeouts {
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds statement{10'000};
};

class PgSession {
 public:
  /// `application_name`: what pg_stat_activity shows, unless the connection string says something else.
  PgSession(Secret conninfo, std::string application_name, PgTimeouts timeouts);

  /// Again, if there is a session. Throws StoreError.
  void connect();

  /// One statement, a transaction of its own. Tried again when the server asks for it (a deadlock, an isolation level
  /// of the database that is stricter than the usual). Throws StoreError, with what was `tried` in it ("reading rows");
  /// after a timeout, or where the server has gone, the session is closed.
  PgResult execute(std::string_view tried, const std::string& statement, const PgParams& params = {});

  /// Several statements, in one transaction.
  void run_script(std::string_view tried, const std::string& script);

  /// Sleeps until `wake_fd` is readable, `timeout` is over or, if it listens, a notification has come since the last
  /// wait(). Throws StoreError if it listens, and the server has gone.
  void wait(int wake_fd, std::chrono::milliseconds timeout, bool listens);

  [[nodiscard]] bool is_open() const noexcept { return connection_ != nullptr; }

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  using Connection = std::unique_ptr<PGconn, void (*)(PGconn*)>;

  void poll_until_connected(Deadline deadline);
  void require_open(std::string_view tried) const;
  PgResult result_until(std::string_view tried, Deadline deadline);
  void send_and_receive(std::string_view tried, Deadline deadline);
  PgResult execute_once(std::string_view tried, const std::string& statement, const PgParams& params);
  [[noreturn]] void throw_lost(std::string_view tried);
  [[noreturn]] void throw_late(std::string_view tried);
  void read_notifications();

  Secret conninfo_;
  std::string application_name_;
  PgTimeouts timeouts_;
  Connection connection_{nullptr, PQfinish};
  bool is_notified_ = false;
};

}  // namespace action_triggers::detail
