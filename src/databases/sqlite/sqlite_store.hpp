// SPDX-License-Identifier: MIT
/// The outbox in SQLite, as a relay sees it.
///
/// One transaction writes at a time, so ids are the order of commits: there are no gaps to come back for, and the
/// horizon is always 0. The lease keeps several processes of one machine from relaying at once; its times are the
/// machine's.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "databases/sqlite/sqlite_connection.hpp"
#include "outbox/outbox_config.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {

class SqliteOutboxStore : public OutboxStore {
 public:
  explicit SqliteOutboxStore(const OutboxConfig& config, const SqliteOptions& options = {});
  ~SqliteOutboxStore() override;

  OutboxInfo reopen() override;
  std::optional<std::pair<Lease, ShardNotes>> acquire(std::int32_t shard, const std::string& owner,
                                                      std::chrono::milliseconds duration) override;
  bool renew(const Lease& lease, std::chrono::milliseconds duration, const ShardNotes& notes) override;
  void release(const Lease& lease, const ShardNotes& notes) override;
  ReadResult read(const ReadRequest& request) override;
  // Ids are given once only: when they were created is of no interest.
  void remove(std::int32_t shard, std::span<const std::int64_t> ids, CreatedBetween created) override;
  void set_done(std::int32_t shard, std::span<const std::pair<std::int64_t, std::uint64_t>> done,
                CreatedBetween created) override;
  void bury(std::int32_t shard, std::span<const DeadRow> rows) override;
  bool wait(int wake_fd, std::chrono::milliseconds timeout) override;

  /// For tests: of the outbox's own connection.
  [[nodiscard]] sqlite3* connection() const noexcept;

 private:
  struct Session;
  Session& session() const;
  /// Throws if the file is not the one that was opened.
  Session& session_at_its_path() const;
  void require_shard(Session& session) const;
  static bool holds(Session& session, const Lease& lease);
  static bool read_range(Session& session, const ReadRequest& request, const IdRange& range, std::size_t& bytes,
                         ReadResult& result);
  bool has_changed(Session& session);

  const OutboxConfig config_;
  const SqliteOptions options_;
  const std::string place_;
  std::unique_ptr<Session> session_;
  std::optional<FileIdentity> file_;  // that was opened first
  std::chrono::steady_clock::time_point active_until_{};
};

}  // namespace action_triggers::detail
