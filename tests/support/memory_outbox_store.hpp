// SPDX-License-Identifier: MIT
/// The tables of an outbox in memory: what a database does for a relay, without one. Several stores may be sessions of
/// one MemoryOutbox, as relays of several processes are.
#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "outbox/outbox_driver.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::tests {

/// Threads: every member from any.
class MemoryOutbox {
 public:
  struct Dead {
    detail::OutboxRow row;
    detail::DeadRow why;
  };
  struct Shard {
    std::string owner;
    std::int64_t epoch = 0;
    detail::ShardNotes notes;
    std::chrono::steady_clock::time_point expires{};
  };

  explicit MemoryOutbox(std::int32_t shards = 1) : shards_(static_cast<std::size_t>(shards)) {}

  /// As a transaction that has committed.
  std::int64_t insert(const detail::NewRow& row, std::int32_t shard = 0) {
    const std::lock_guard lock(mutex_);
    detail::OutboxRow added;
    static_cast<detail::NewRow&>(added) = row;
    added.id = ++last_id_;
    added.shard = shard;
    added.created_at = std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    rows_.emplace(added.id, added);
    return added.id;
  }
  std::int64_t insert(const std::string& target, const std::string& body) {
    return insert({.target = target,
                   .body = body,
                   .key = std::nullopt,
                   .message_id = std::nullopt,
                   .content_type = std::nullopt,
                   .headers = std::nullopt,
                   .properties = std::nullopt});
  }

  /// What a row says that it was created at.
  void created_at(std::int64_t id, decltype(detail::OutboxRow::created_at) time) {
    const std::lock_guard lock(mutex_);
    rows_.at(id).created_at = time;
  }

  /// From now on every call of a session fails, with this text; empty: none does. `opens`: all but opening it.
  void fail(const std::string& why, bool opens = false) {
    const std::lock_guard lock(mutex_);
    failure_ = why;
    opens_ = opens;
  }
  /// The lease of each shard is over.
  void expire() {
    const std::lock_guard lock(mutex_);
    for (Shard& shard : shards_) shard.expires = {};
  }

  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return rows_.size();
  }
  [[nodiscard]] std::optional<detail::OutboxRow> row(std::int64_t id) const {
    const std::lock_guard lock(mutex_);
    const auto found = rows_.find(id);
    return found == rows_.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] std::vector<Dead> dead() const {
    const std::lock_guard lock(mutex_);
    return dead_;
  }
  [[nodiscard]] Shard shard(std::size_t number = 0) const {
    const std::lock_guard lock(mutex_);
    return shards_[number];
  }
  [[nodiscard]] int reopened() const {
    const std::lock_guard lock(mutex_);
    return reopened_;
  }
  /// Waits for what only another thread can bring about; false: it took longer than half a minute.
  template <class Predicate>
  bool wait_until(const Predicate& predicate) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return predicate(*this); });
  }
  // For predicates, which run under the lock.
  [[nodiscard]] std::size_t size_locked() const { return rows_.size(); }
  [[nodiscard]] const detail::OutboxRow* row_locked(std::int64_t id) const {
    const auto found = rows_.find(id);
    return found == rows_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::size_t dead_locked() const { return dead_.size(); }
  [[nodiscard]] const Shard& shard_locked(std::size_t number = 0) const { return shards_[number]; }

 private:
  friend class MemoryOutboxStore;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::int64_t, detail::OutboxRow> rows_;
  std::vector<Dead> dead_;
  std::vector<Shard> shards_;
  std::int64_t last_id_ = 0;
  std::string failure_;
  bool opens_ = false;
  int reopened_ = 0;
};

class MemoryOutboxStore final : public detail::OutboxStore {
 public:
  explicit MemoryOutboxStore(MemoryOutbox& outbox) : outbox_(outbox) {}

  detail::OutboxInfo reopen() override {
    const Call call(*this, /*opens=*/true);
    ++outbox_.reopened_;
    return {.shards = static_cast<std::int32_t>(outbox_.shards_.size()), .outbox_id = "0f1e"};
  }

  std::optional<std::pair<detail::Lease, detail::ShardNotes>> acquire(std::int32_t shard, const std::string& owner,
                                                                      std::chrono::milliseconds duration) override {
    const Call call(*this);
    MemoryOutbox::Shard& one = at(shard);
    if (!one.owner.empty() && one.owner != owner && std::chrono::steady_clock::now() < one.expires) return std::nullopt;
    one.notes = one.notes.taken_over(!one.owner.empty());
    one.owner = owner;
    one.expires = std::chrono::steady_clock::now() + duration;
    return std::pair(detail::Lease{.shard = shard, .owner = owner, .epoch = ++one.epoch}, one.notes);
  }
  bool renew(const detail::Lease& lease, std::chrono::milliseconds duration, const detail::ShardNotes& notes) override {
    const Call call(*this);
    if (!is_held(lease)) return false;
    at(lease.shard).expires = std::chrono::steady_clock::now() + duration;
    at(lease.shard).notes = notes;
    return true;
  }
  void release(const detail::Lease& lease, const detail::ShardNotes& notes) override {
    const Call call(*this);
    if (!is_held(lease)) return;
    at(lease.shard).owner.clear();
    at(lease.shard).notes = notes;
  }

  detail::ReadResult read(const detail::ReadRequest& request) override {
    const Call call(*this);
    detail::ReadResult result;
    result.lease_is_held = is_held(request.lease);
    if (!result.lease_is_held) return result;
    std::size_t bytes = 0;
    for (const detail::IdRange& range : request.ids) {
      for (auto at = outbox_.rows_.lower_bound(range.first); at != outbox_.rows_.end() && at->first <= range.last;
           ++at) {
        const detail::OutboxRow& row = at->second;
        if (!is_asked_for(request, row)) continue;
        if (result.rows.size() == request.limit || bytes >= request.most_bytes) return result;
        result.rows.push_back(row);
        bytes += row.body.size();
      }
    }
    result.is_complete = true;
    return result;
  }

  // Ids are given once only.
  void remove(std::int32_t /*shard*/, std::span<const std::int64_t> ids, detail::CreatedBetween /*created*/) override {
    const Call call(*this);
    for (const std::int64_t id : ids) outbox_.rows_.erase(id);
  }
  void set_done(std::int32_t /*shard*/, std::span<const std::pair<std::int64_t, std::uint64_t>> done,
                detail::CreatedBetween /*created*/) override {
    const Call call(*this);
    for (const auto& [id, bits] : done) {
      const auto row = outbox_.rows_.find(id);
      if (row != outbox_.rows_.end()) row->second.done = bits;
    }
  }
  void bury(std::int32_t /*shard*/, std::span<const detail::DeadRow> rows) override {
    const Call call(*this);
    for (const detail::DeadRow& dead : rows) {
      const auto row = outbox_.rows_.find(dead.id);
      if (row == outbox_.rows_.end()) continue;
      outbox_.dead_.push_back({row->second, dead});
      row->second.done = dead.done;
      if (dead.is_whole) outbox_.rows_.erase(row);
    }
  }

  bool wait(int wake_fd, std::chrono::milliseconds timeout) override {
    pollfd descriptor{.fd = wake_fd, .events = POLLIN, .revents = 0};
    ::poll(&descriptor, 1, static_cast<int>(timeout.count()));
    return false;
  }

 private:
  /// Holds the lock, or throws.
  class Call {
   public:
    explicit Call(MemoryOutboxStore& store, bool opens = false) : outbox_(store.outbox_), lock_(outbox_.mutex_) {
      if (!outbox_.failure_.empty() && !(opens && outbox_.opens_)) throw detail::StoreError(outbox_.failure_);
    }
    ~Call() { outbox_.changed_.notify_all(); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    MemoryOutbox& outbox_;
    const std::lock_guard<std::mutex> lock_;
  };

  MemoryOutbox::Shard& at(std::int32_t shard) { return outbox_.shards_.at(static_cast<std::size_t>(shard)); }
  bool is_held(const detail::Lease& lease) {
    const MemoryOutbox::Shard& shard = at(lease.shard);
    return shard.owner == lease.owner && shard.epoch == lease.epoch && std::chrono::steady_clock::now() < shard.expires;
  }
  static bool is_asked_for(const detail::ReadRequest& request, const detail::OutboxRow& row) {
    const auto& targets = request.targets;
    return row.shard == request.lease.shard &&
           (targets.empty() || std::find(targets.begin(), targets.end(), row.target) != targets.end());
  }

  MemoryOutbox& outbox_;
};

/// A driver whose store is a session of this; as OutboxDriver has plain functions, there is one at a time.
inline MemoryOutbox*& memory_outbox_of_driver() {
  static MemoryOutbox* outbox = nullptr;
  return outbox;
}

inline const detail::OutboxDriver& memory_outbox_driver(MemoryOutbox& outbox) {
  memory_outbox_of_driver() = &outbox;
  static const detail::OutboxDriver driver{
      .type = detail::OutboxType::sqlite,
      .name = "sqlite",
      .schema = [](const detail::OutboxConfig&) { return std::string(); },
      .store = [](const detail::OutboxConfig&) -> std::unique_ptr<detail::OutboxStore> {
        return std::make_unique<MemoryOutboxStore>(*memory_outbox_of_driver());
      },
      .admin = [](const detail::OutboxConfig&) -> std::unique_ptr<detail::OutboxAdmin> { return nullptr; },
      .capture = nullptr,
      .insert_statement = [](const detail::OutboxConfig& config) { return "INSERT INTO " + config.table; }};
  return driver;
}

}  // namespace action_triggers::tests
