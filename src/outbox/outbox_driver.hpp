// SPDX-License-Identifier: MIT
/// What a database brings for the command line and for tests, beside its public header: one object each.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "outbox/outbox_config.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {

class CaptureDatabase;  // capture/capture_database.hpp

/// `outbox status`, as far as the database knows.
struct OutboxState {
  struct Shard {
    std::int32_t shard = 0;
    std::string owner;  // empty: nobody
    std::string place;  // host and process id of the owner
    std::int64_t epoch = 0;
    std::optional<std::chrono::milliseconds> expires_in;
    std::int32_t deaths = 0;
    std::uint64_t rows = 0;
    std::optional<std::chrono::milliseconds> oldest_age;
  };
  struct Target {
    std::string target;
    std::uint64_t rows = 0;
  };
  std::vector<Shard> shards;
  std::vector<Target> targets;
  std::uint64_t dead = 0;
  std::vector<std::string> warnings;  // dead tuples, a transaction that holds the horizon and its process id, …
};

struct DeadFilter {
  std::optional<std::string> destination{};
  std::optional<std::string> status{};
  std::optional<std::string> key{};
  std::optional<std::string> text{};  // part of the reason
  std::optional<std::chrono::seconds> older_than{};
  std::optional<std::int64_t> id{};
  std::int64_t up_to_id = 0;  // 0: no limit; the cut-off of a replay
  std::size_t limit = 0;      // 0: no limit
};

struct DeadLetter : OutboxRow {  // `id` is the dead letter's own
  std::string destination;
  std::string status;
  std::string text;
  std::uint32_t attempts = 0;
  std::uint32_t replayed = 0;
  std::chrono::sys_time<std::chrono::microseconds> died_at{};
};

/// One session of somebody who looks after an outbox. Throws StoreError, as OutboxStore.
class OutboxAdmin {
 public:
  virtual ~OutboxAdmin() = default;
  virtual void install() = 0;
  /// What the tables lack; empty: they are right.
  virtual std::vector<std::string> verify() = 0;
  virtual OutboxState state() = 0;

  virtual std::vector<DeadLetter> dead(const DeadFilter& filter) = 0;
  virtual std::uint64_t count_dead(const DeadFilter& filter) = 0;
  /// Moves at most `filter.limit` of them back into the outbox, oldest first, each with its id, in one transaction.
  virtual std::uint64_t replay(const DeadFilter& filter) = 0;
  virtual std::uint64_t drop(const DeadFilter& filter) = 0;
};

struct OutboxDriver {
  OutboxType type;
  std::string_view name;  // as in outbox.type
  std::string (*schema)(const OutboxConfig& config);
  std::unique_ptr<OutboxStore> (*store)(const OutboxConfig& config);
  std::unique_ptr<OutboxAdmin> (*admin)(const OutboxConfig& config);
  std::unique_ptr<CaptureDatabase> (*capture)(const OutboxConfig& config);
  std::string (*insert_statement)(const OutboxConfig& config);  // Outbox::insert_statement()
};

}  // namespace action_triggers::detail
