// SPDX-License-Identifier: MIT
/// The relay's session with an outbox in PostgreSQL.
#pragma once

#include <string>

#include "databases/postgresql/pg_session.hpp"
#include "databases/postgresql/pg_tables.hpp"
#include "outbox/outbox_config.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {

/// Every call is one statement, and with it one transaction; the clock is the database's. What is removed is not waited
/// for on the disk: a removal that a crash undoes is a duplicate with the same id.
class PgOutboxStore final : public OutboxStore {
 public:
  explicit PgOutboxStore(const OutboxConfig& config);
  PgOutboxStore(const OutboxConfig& config, PgTimeouts timeouts);

  OutboxInfo reopen() override;
  std::optional<std::pair<Lease, ShardNotes>> acquire(std::int32_t shard, const std::string& owner,
                                                      std::chrono::milliseconds duration) override;
  bool renew(const Lease& lease, std::chrono::milliseconds duration, const ShardNotes& notes) override;
  void release(const Lease& lease, const ShardNotes& notes) override;
  ReadResult read(const ReadRequest& request) override;
  void remove(std::int32_t shard, std::span<const std::int64_t> ids, CreatedBetween created) override;
  void set_done(std::int32_t shard, std::span<const std::pair<std::int64_t, std::uint64_t>> done,
                CreatedBetween created) override;
  void bury(std::int32_t shard, std::span<const DeadRow> rows) override;
  bool wait(int wake_fd, std::chrono::milliseconds timeout) override;

  /// What read() executes, for tests that ask the server how it does it.
  [[nodiscard]] const std::string& read_statement() const noexcept { return read_statement_; }
  [[nodiscard]] const std::string& remove_statement() const noexcept { return remove_statement_; }

 private:
  void require_shard(std::int32_t shard);
  bool listens() const noexcept { return config_.notify == OutboxNotify::after_commit; }

  OutboxConfig config_;
  PgTables tables_;
  PgSession session_;
  std::string place_;
  std::string read_statement_;
  std::string remove_statement_;
  std::string bury_statement_;
};

}  // namespace action_triggers::detail
