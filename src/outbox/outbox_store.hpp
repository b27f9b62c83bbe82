// SPDX-License-Identifier: MIT
/// What a relay asks of a database. One session: its calls block, on one thread, and each is a transaction of its own.
///
/// A call that fails throws StoreError. The session may be lost then; reopen() makes a new one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/export.hpp"
#include "outbox/outbox_row.hpp"

namespace action_triggers::detail {

/// For people: what failed, and the way out where there is one. Never contains a secret.
class ACTION_TRIGGERS_EXPORT StoreError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Which transactions may still be open: numbers that the database gives them in order. Of a database that lets one
/// transaction write at a time both are 0: what has a smaller id than a row that was read is committed, or never will
/// be.
struct Horizon {
  std::uint64_t oldest_open = 0;  // all before it have ended
  std::uint64_t next = 0;         // those from it on have not begun
};

/// Both ends belong to it.
struct IdRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
  friend bool operator==(const IdRange&, const IdRange&) = default;
};

/// The right to send a shard's rows: until somebody else takes it, which the database allows once it has expired.
struct Lease {
  std::int32_t shard = 0;
  std::string owner;       // a process's, made anew each time it starts
  std::int64_t epoch = 0;  // one more each time that it is taken
};

/// What the shard's row holds for whoever takes it next.
struct ShardNotes {
  std::int64_t low = 0;              // rows up to it have left, as far as their owner knew: a hint where to read
  std::optional<std::int64_t> head;  // the first row that was about to be sent; negative: not by this owner yet
  std::int32_t deaths = 0;           // owners in a row that ended without release(), while they sent the same head

  /// What the next owner finds. One who ended before it came to the head has not died of it, but is a reason for care.
  [[nodiscard]] ShardNotes taken_over(bool has_died) const {
    ShardNotes next = *this;
    if (has_died) next.deaths = head.value_or(0) > 0 ? deaths + 1 : std::max(deaths, 1);
    if (head) next.head = -std::abs(*head);
    return next;
  }
};

struct ReadRequest {
  Lease lease;                        // rows are read only while it is held
  std::vector<IdRange> ids;           // in ascending order; rows of none of them are not read
  std::vector<std::string> targets;   // only rows with one of these targets; empty: all
  std::size_t limit = 1000;           // rows
  std::size_t most_bytes = 4U << 20;  // stops after the row that reaches it
};

struct ReadResult {
  bool lease_is_held = true;    // false: no rows
  std::vector<OutboxRow> rows;  // by id, ascending
  bool is_complete = false;     // neither limit stopped it: there were no more
  Horizon horizon;              // of the snapshot that the rows were read with
};

/// What the tables say of themselves.
struct OutboxInfo {
  std::int32_t shards = 1;
  std::string outbox_id;  // made at installation: ids of messages that bring none are derived from it and the row's id
};

class OutboxStore {
 public:
  virtual ~OutboxStore() = default;

  /// Connects, again if there is a session, and verifies the tables and their version.
  virtual OutboxInfo reopen() = 0;

  /// Nothing: somebody else holds it.
  virtual std::optional<std::pair<Lease, ShardNotes>> acquire(std::int32_t shard, const std::string& owner,
                                                              std::chrono::milliseconds duration) = 0;
  /// False: it is lost.
  virtual bool renew(const Lease& lease, std::chrono::milliseconds duration, const ShardNotes& notes) = 0;
  /// Somebody else may take it at once.
  virtual void release(const Lease& lease, const ShardNotes& notes) = 0;

  virtual ReadResult read(const ReadRequest& request) = 0;

  // No lease is needed to say what is true: a confirmed message is confirmed. Rows that are gone are passed over. So
  // are those that were not created within `created`, in a database that gives ids again: after a crash with
  // synchronous_commit=off, on a replica that was behind, after TRUNCATE … RESTART IDENTITY.
  virtual void remove(std::int32_t shard, std::span<const std::int64_t> ids, CreatedBetween created) = 0;
  virtual void set_done(std::int32_t shard, std::span<const std::pair<std::int64_t, std::uint64_t>> done,
                        CreatedBetween created) = 0;
  /// Moves rows to the dead letters, or copies them for one target and sets `done`: in one transaction. Those that are
  /// gone as above.
  virtual void bury(std::int32_t shard, std::span<const DeadRow> rows) = 0;

  /// Sleeps until another process may have committed (then true), `wake_fd` becomes readable or `timeout` is over. A
  /// database that tells nobody sleeps as long as it may.
  virtual bool wait(int wake_fd, std::chrono::milliseconds timeout) = 0;
};

}  // namespace action_triggers::detail
