// SPDX-License-Identifier: MIT
/// Who looks after an outbox in SQLite.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "databases/sqlite/sqlite_connection.hpp"
#include "databases/sqlite/sqlite_schema.hpp"
#include "outbox/outbox_config.hpp"
#include "outbox/outbox_driver.hpp"

namespace action_triggers::detail {

class SqliteOutboxAdmin : public OutboxAdmin {
 public:
  /// Opens the file; its tables need not be there.
  explicit SqliteOutboxAdmin(const OutboxConfig& config, const SqliteOptions& options = {});

  void install() override;
  std::vector<std::string> verify() override;
  OutboxState state() override;
  std::vector<DeadLetter> dead(const DeadFilter& filter) override;
  std::uint64_t count_dead(const DeadFilter& filter) override;
  std::uint64_t replay(const DeadFilter& filter) override;
  std::uint64_t drop(const DeadFilter& filter) override;

 private:
  OutboxState::Shard shard_state();
  std::vector<OutboxState::Target> target_states();
  std::vector<std::string> warnings();

  const OutboxConfig config_;
  const SqliteNames names_;
  SqliteConnection connection_;
};

/// What is said of a SQLite library whose write-ahead log has the WAL-reset bug; "" for others.
std::string wal_reset_warning(int library_version);

}  // namespace action_triggers::detail
