// SPDX-License-Identifier: MIT
/// One session with a PostgreSQL server: connected within a time, each statement within another. Nothing is kept in it,
/// so that PgBouncer may give each transaction another server session: what a statement needs to be set is set in its
/// own transaction, and sent together with it.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <cstdint>
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
/// Of somebody who waits for a command's end.
inline constexpr PgTimeouts pg_command_timeouts{.connect = std::chrono::seconds(10),
                                                .statement = std::chrono::minutes(2)};

/// How statements that were not told otherwise are planned and committed.
enum class PgUse : std::uint8_t {
  anything,        // as the server thinks best
  by_primary_key,  // in the order of an index, never sorted: statistics of a table that was empty a minute ago are
                   // wrong
};

enum class PgCommit : std::uint8_t {
  waits_for_the_disk,
  does_not_wait,  // a crash of the server may undo what was just said to be done
};

class PgSession {
 public:
  /// `application_name`: what pg_stat_activity shows, unless the connection string says something else.
  PgSession(Secret conninfo, std::string application_name, PgTimeouts timeouts, PgUse use);

  /// Again, if there is a session. Throws StoreError.
  void connect();

  /// One statement, a transaction of its own. Tried again when the server asks for it (a deadlock, an isolation level
  /// of the database that is stricter than the usual). Throws StoreError, with what was `tried` in it ("reading rows");
  /// where the server has gone, or does not answer, the session is closed.
  PgResult execute(std::string_view tried, const std::string& statement, const PgParams& params = {},
                   PgCommit commit = PgCommit::waits_for_the_disk);

  /// Several statements, in one transaction.
  void run_script(std::string_view tried, const std::string& script);

  /// Sleeps until `wake_fd` is readable, `timeout` is over or, if it listens, a notification has come since the last
  /// wait(). Throws StoreError if it listens, and the server has gone.
  bool wait(int wake_fd, std::chrono::milliseconds timeout, bool listens);

  [[nodiscard]] bool is_open() const noexcept { return connection_ != nullptr; }

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  using Connection = std::unique_ptr<PGconn, void (*)(PGconn*)>;

  struct Outcome {
    PgResult last{nullptr};
    std::string error;  // of the first that failed
    std::string sqlstate;
  };

  void poll_until_connected(Deadline deadline);
  void choose_settings();
  void require_open(std::string_view tried) const;
  void send_and_receive(std::string_view tried, Deadline deadline);
  void take_result(PGresult* result, Outcome& outcome);
  PgResult finish(std::string_view tried, Outcome outcome);
  PgResult execute_once(std::string_view tried, const std::string& statement, const PgParams& params, PgCommit commit);
  [[nodiscard]] Deadline deadline() const;
  [[noreturn]] void throw_lost(std::string_view tried);
  [[noreturn]] void throw_late(std::string_view tried);
  void read_notifications();

  Secret conninfo_;
  std::string application_name_;
  PgTimeouts timeouts_;
  PgUse use_;
  std::string settings_;            // a statement that sets what holds for the transaction; of this server
  std::string settings_in_memory_;  // the same, and does not wait for the disk
  Connection connection_{nullptr, PQfinish};
  bool is_notified_ = false;
};

}  // namespace action_triggers::detail
