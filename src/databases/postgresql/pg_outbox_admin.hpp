// SPDX-License-Identifier: MIT
/// Looks after an outbox in PostgreSQL: installs and verifies its tables, says how it is, handles dead letters.
#pragma once

#include "databases/postgresql/pg_session.hpp"
#include "databases/postgresql/pg_tables.hpp"
#include "outbox/outbox_config.hpp"
#include "outbox/outbox_driver.hpp"

namespace action_triggers::detail {

class PgOutboxAdmin final : public OutboxAdmin {
 public:
  /// Connects at the first call. A transaction that is older than `old_transaction` is worth a warning.
  explicit PgOutboxAdmin(const OutboxConfig& config, std::chrono::seconds old_transaction = std::chrono::minutes(5));

  void install() override;
  std::vector<std::string> verify() override;
  OutboxState state() override;
  std::vector<DeadLetter> dead(const DeadFilter& filter) override;
  std::uint64_t count_dead(const DeadFilter& filter) override;
  std::uint64_t replay(const DeadFilter& filter) override;
  std::uint64_t drop(const DeadFilter& filter) override;

 private:
  PgSession& session();
  void add_rows(OutboxState& state);
  void add_warnings(OutboxState& state);

  OutboxConfig config_;
  PgTables tables_;
  PgSession session_;
  std::chrono::seconds old_transaction_;
};

}  // namespace action_triggers::detail
