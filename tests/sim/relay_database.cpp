// SPDX-License-Identifier: MIT
#include "sim/relay_database.hpp"

#include <algorithm>

#include "outbox/row_targets.hpp"

namespace action_triggers::tests {
namespace {

using detail::DeadRow;
using detail::IdRange;
using detail::Lease;
using detail::OutboxRow;
using detail::ReadRequest;
using detail::ReadResult;
using detail::ShardNotes;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds log_writer_pause{600};  // what is older is on the disk

}  // namespace

SimulatedDatabase::Transaction SimulatedDatabase::begin() {
  open_.emplace_back(0);
  return open_.size() - 1;
}

void SimulatedDatabase::get_number(Transaction transaction) {
  if (open_[transaction] == 0U) open_[transaction] = next_number_++;
}

void SimulatedDatabase::end(Transaction transaction, std::vector<OutboxRow> committed) {
  open_[transaction].reset();
  for (OutboxRow& row : committed) {
    ledger_.rows[row.id].committed = now;
    table[row.id] = std::move(row);
  }
  if (!committed.empty()) undo_.clear();  // it waits for the disk, and all that came before is there, too
}

void SimulatedDatabase::write_lease(const LeaseRow& lease) {
  may_be_lost([this, before = lease_] { lease_ = before; });
  lease_ = lease;
}

std::optional<std::pair<Lease, ShardNotes>> SimulatedDatabase::acquire(const std::string& owner,
                                                                       std::chrono::milliseconds duration) {
  LeaseRow lease = lease_;
  if (!lease.owner.empty()) {
    if (lease.expires > clock()) return std::nullopt;
  }
  lease.notes = lease.notes.taken_over(!lease.owner.empty());
  lease.owner = owner;
  ++lease.epoch;
  lease.expires = clock() + duration;
  write_lease(lease);
  return std::pair(Lease{0, owner, lease.epoch}, lease.notes);
}

bool SimulatedDatabase::renew(const Lease& lease, std::chrono::milliseconds duration, const ShardNotes& notes) {
  if (!is_held(lease)) return false;
  write_lease({lease.owner, lease.epoch, clock() + duration, notes});
  return true;
}

void SimulatedDatabase::release(const Lease& lease, const ShardNotes& notes) {
  if (!is_held(lease)) return;
  write_lease({"", lease.epoch, TimePoint{}, notes});
}

ReadResult SimulatedDatabase::read(const ReadRequest& request) {
  ReadResult result;
  result.lease_is_held = is_held(request.lease) && lease_.expires > clock();
  if (!result.lease_is_held) return result;
  if (!one_writer) {
    result.horizon = {next_number_, next_number_};
    for (const auto& number : open_) {
      if (number.value_or(0) != 0) result.horizon.oldest_open = std::min(result.horizon.oldest_open, *number);
    }
  }
  std::size_t bytes = 0;
  for (const IdRange& ids : request.ids) {
    for (auto row = table.lower_bound(ids.first); row != table.end() && row->first <= ids.last; ++row) {
      const auto& targets = request.targets;
      if (!targets.empty() && std::find(targets.begin(), targets.end(), row->second.target) == targets.end()) continue;
      if (result.rows.size() >= request.limit || bytes >= request.most_bytes) return result;
      result.rows.push_back(row->second);
      bytes += row->second.body.size();
    }
  }
  result.is_complete = true;
  return result;
}

void SimulatedDatabase::remove(const std::vector<std::int64_t>& ids) {
  for (const std::int64_t id : ids) {
    const auto row = table.find(id);
    if (row == table.end()) continue;
    ledger_.removed(id);
    may_be_lost([this, before = row->second] { table[before.id] = before; }, id);
    table.erase(row);
  }
}

void SimulatedDatabase::set_done(const std::vector<std::pair<std::int64_t, std::uint64_t>>& done) {
  for (const auto& [id, word] : done) {
    const auto row = table.find(id);
    if (row == table.end()) continue;
    const std::int64_t copied = id;
    may_be_lost(
        [this, copied, before = row->second.done] {
          if (table.count(copied) > 0) table[copied].done = before;
        },
        id);
    // A relay that has lost its lease, and does not know it yet, may know less than the table does.
    if (word != 0 && (row->second.done & ~word & detail::done_bits_mask) != 0) ledger_.excuse_all(id);
    row->second.done = word;
  }
}

void SimulatedDatabase::bury(const std::vector<DeadRow>& rows,
                             const std::map<std::string, std::uint32_t>& destinations) {
  for (const DeadRow& dead : rows) {
    const auto row = table.find(dead.id);
    if (row == table.end()) continue;
    const auto destination = destinations.find(dead.destination);
    const bool is_one = destination != destinations.end() && dead.status != "poisoned";
    ledger_.buried(dead.id, dead.status, is_one ? std::optional(destination->second) : std::nullopt, dead.is_whole);
    may_be_lost([this, before = row->second] { table[before.id] = before; }, dead.id);
    if (dead.is_whole) {
      table.erase(row);
    } else {
      row->second.done = dead.done;
    }
  }
}

std::vector<std::int64_t> SimulatedDatabase::crash(std::mt19937_64& random) {
  undo_.erase(undo_.begin(), std::find_if(undo_.begin(), undo_.end(),
                                          [this](const Undo& one) { return now - one.at < log_writer_pause; }));
  std::vector<std::int64_t> rows;
  for (std::size_t lost = undo_.empty() ? 0 : random() % (undo_.size() + 1); lost > 0; --lost) {
    undo_.back().run();
    if (undo_.back().row != 0) rows.push_back(undo_.back().row);
    undo_.pop_back();
  }
  for (auto& number : open_) number.reset();  // open transactions are rolled back
  return rows;
}

}  // namespace action_triggers::tests
