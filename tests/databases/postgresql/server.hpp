// SPDX-License-Identifier: MIT
/// The private PostgreSQL and PgBouncer that tests of the outbox talk to, and plain SQL beside the library.
#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <memory>
#include <string>
#include <vector>

#include "outbox/outbox_config.hpp"
#include "outbox/outbox_row.hpp"
#include "support/eventually.hpp"

namespace action_triggers::tests {

class PgServer {
 public:
  /// Starts what is not running yet. Throws if that is impossible.
  static void start();
  /// Stops what start() started.
  static void stop();
  /// Ends it at once (kill -9 if `crash`), and starts it again with the same data.
  static void restart(bool crash);

  static std::string conninfo();
  static std::string bouncer_conninfo();
};

/// A session of the application's. Statements that fail throw std::runtime_error.
class Sql {
 public:
  explicit Sql(const std::string& conninfo = PgServer::conninfo());

  /// The rows, columns separated by |, as psql -At prints them.
  std::vector<std::string> rows(const std::string& statement);
  /// The first row, or nothing.
  std::string operator()(const std::string& statement);

  [[nodiscard]] PGconn* get() const noexcept { return connection_.get(); }

 private:
  std::unique_ptr<PGconn, void (*)(PGconn*)> connection_;
};

/// An outbox in a schema of its own, which is dropped at the end.
class PgOutboxTest : public ::testing::Test {
 protected:
  PgOutboxTest();
  ~PgOutboxTest() override;

  void install(std::int32_t shards = 1);
  /// Inserts rows with these bodies, as an application without the library.
  void insert(Sql& session, const std::vector<std::string>& bodies, const std::string& target = "orders");

  /// Of a row; of one that is not there: no_time.
  detail::RowTime created_at(std::int64_t id);

  std::string outbox() const { return config.schema + "." + config.table; }
  std::string shards() const { return config.schema + "." + config.shards_table; }
  std::string dead_letters() const { return config.schema + "." + config.dead_letters_table; }

  detail::OutboxConfig config;
  Sql sql;
};

}  // namespace action_triggers::tests
