// SPDX-License-Identifier: MIT
/// What RelayCore asks its driver to do next. Each has one answer, or RelayCore::store_failed().
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "action_triggers/clock.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {

struct ReopenStore {};  // OutboxStore::reopen(); answer: reopened()

struct AcquireLease {  // answer: acquired()
  std::int32_t shard = 0;
  std::string owner;
  std::chrono::milliseconds duration{};
};

struct RenewLease {  // answer: renewed()
  Lease lease;
  std::chrono::milliseconds duration{};
  ShardNotes notes;
};

struct ReleaseLease {  // answer: released()
  Lease lease;
  ShardNotes notes;
};

struct ReadRows {  // answer: read_done()
  ReadRequest request;
};

struct RemoveRows {  // answer: removed()
  std::vector<std::int64_t> ids;
  CreatedBetween created;
};

struct SetDone {  // answer: done_set()
  std::vector<std::pair<std::int64_t, std::uint64_t>> done;
  CreatedBetween created;
};

struct BuryRows {  // answer: buried()
  std::vector<DeadRow> rows;
};

/// Nothing to do before this time (TimePoint::max(): ever), unless outcome(), committed(), configuration_changed() or
/// stop() is called. No answer: call next() again.
struct WaitUntil {
  TimePoint until;
};

struct RelayFinished {};  // after stop(): the lease is given back, nothing is left to do

using RelayAction = std::variant<ReopenStore, AcquireLease, RenewLease, ReleaseLease, ReadRows, RemoveRows, SetDone,
                                 BuryRows, WaitUntil, RelayFinished>;

}  // namespace action_triggers::detail
