// SPDX-License-Identifier: MIT
/// A model of the database of an outbox: transactions that take ids and commit in any order, snapshots with a horizon,
/// leases by a clock of its own, and a relay's writes that a crash may take back (synchronous_commit=off).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "outbox/outbox_store.hpp"
#include "sim/relay_ledger.hpp"

namespace action_triggers::tests {

class SimulatedDatabase {
 public:
  explicit SimulatedDatabase(Ledger& ledger) : ledger_(ledger) {}

  bool one_writer = false;  // as SQLite: no horizon
  bool is_down = false;
  TimePoint now{};                 // set before each call
  std::chrono::hours wrong_by{0};  // its clock
  std::map<std::int64_t, detail::OutboxRow> table;

  // Applications
  using Transaction = std::size_t;
  Transaction begin();
  std::int64_t take_id() { return ++last_id_; }
  void get_number(Transaction transaction);  // a moment after it took its first id
  [[nodiscard]] bool is_open(Transaction transaction) const { return open_[transaction].has_value(); }
  void end(Transaction transaction, std::vector<detail::OutboxRow> committed);

  // Relays; as OutboxStore.
  std::optional<std::pair<detail::Lease, detail::ShardNotes>> acquire(const std::string& owner,
                                                                      std::chrono::milliseconds duration);
  bool renew(const detail::Lease& lease, std::chrono::milliseconds duration, const detail::ShardNotes& notes);
  void release(const detail::Lease& lease, const detail::ShardNotes& notes);
  detail::ReadResult read(const detail::ReadRequest& request);
  void remove(const std::vector<std::int64_t>& ids);
  void set_done(const std::vector<std::pair<std::int64_t, std::uint64_t>>& done);
  void bury(const std::vector<detail::DeadRow>& rows, const std::map<std::string, std::uint32_t>& destinations);

  [[nodiscard]] bool holds(const std::string& owner) const { return lease_.owner == owner && lease_.expires > clock(); }
  [[nodiscard]] const std::string& owner() const { return lease_.owner; }
  /// Some of the last writes of relays are gone; returns the rows that are there again.
  std::vector<std::int64_t> crash(std::mt19937_64& random);

 private:
  struct LeaseRow {
    std::string owner;
    std::int64_t epoch = 0;
    TimePoint expires{};
    detail::ShardNotes notes;
  };
  struct Undo {
    TimePoint at;
    std::function<void()> run;
    std::int64_t row = 0;  // that is there again
  };

  [[nodiscard]] TimePoint clock() const { return now + wrong_by; }
  [[nodiscard]] bool is_held(const detail::Lease& lease) const {
    return lease_.owner == lease.owner && lease_.epoch == lease.epoch;
  }
  void may_be_lost(std::function<void()> undo, std::int64_t row = 0) { undo_.push_back({now, std::move(undo), row}); }
  void write_lease(const LeaseRow& lease);

  Ledger& ledger_;
  std::int64_t last_id_ = 0;
  std::vector<std::optional<std::uint64_t>> open_;  // numbers of transactions; 0: none yet
  std::uint64_t next_number_ = 100;
  LeaseRow lease_;
  std::vector<Undo> undo_;
};

}  // namespace action_triggers::tests
