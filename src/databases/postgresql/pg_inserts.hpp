// SPDX-License-Identifier: MIT
/// The INSERTs of messages on an application's connection: as text the first time, prepared from then on.
#pragma once

#include <libpq-events.h>
#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "databases/postgresql/pg_values.hpp"
#include "outbox/outbox_config.hpp"
#include "outbox/outbox_row.hpp"

namespace action_triggers::detail {

/// What a connection has prepared for the PgTransactions on it; libpq keeps this with the connection.
///
/// A statement is prepared before a transaction begins, so that an error aborts nothing of the application's. Behind a
/// pooler nothing is prepared, since another session may come with each transaction: there the process that answers is
/// not the one that the connection was told of. What the application deallocates is noticed.
class PgInserts {
 public:
  /// Of this connection. Throws std::bad_alloc.
  static PgInserts& of(PGconn* connection);

  PgInserts(const PgInserts&) = delete;
  PgInserts& operator=(const PgInserts&) = delete;

  /// Writes all of the rows, which are at least one. If it is well, its first column is the id of the transaction, an
  /// xid8, as text; there is no row if a trigger has kept a single message out.
  PgResult execute(const OutboxConfig& config, std::span<const NewRow> rows);

  /// Prepares what was executed as text. Outside of a transaction.
  void prepare();

 private:
  struct Insert {
    std::string schema;
    std::string table;
    std::size_t rows = 0;  // 0: any number, as arrays
    std::size_t columns = 0;
    std::string text;
    std::string name;  // of the last time that it was prepared
    bool is_prepared = false;
    std::vector<Oid> types;  // of the parameters, if it is to be prepared
  };

  explicit PgInserts(PGconn* connection) : connection_(connection) {}
  static int procedure(PGEventId id, void* info, void* pass_through);

  Insert& find(const OutboxConfig& config, std::size_t rows, std::size_t columns);
  void executed(Insert& insert, const PgParams& params, const PgResult& result);
  void forget() noexcept;

  PGconn* const connection_;
  std::deque<Insert> inserts_;
  std::uint64_t prepared_ = 0;   // so far: names are used once
  bool is_servers_own_ = false;  // no pooler is between
  bool is_given_up_ = false;     // the server does not want to prepare
};

}  // namespace action_triggers::detail
