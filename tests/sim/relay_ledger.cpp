// SPDX-License-Identifier: MIT
#include "sim/relay_ledger.hpp"

#include <algorithm>

namespace action_triggers::tests {

void Ledger::arrived(std::int64_t id, std::uint32_t destination, TimePoint now) {
  LedgerRow& row = rows[id];
  if (!row.committed) return violation_("sent, and not committed: " + name(id, destination));
  LedgerRow::AtTarget& at = row.at[destination];
  if (++at.arrivals > 1) {
    ++copies;
    if (at.arrivals > 1 + at.excuses) violation_("a copy without a reason: " + name(id, destination));
    return;
  }
  check_order(id, row, destination);
  if (most_delay.count() >= 0 && now - *row.committed > most_delay) {
    violation_("late though nothing is wrong: " + name(id, destination));
  }
}

/// Of two messages of one key the second one's writer knew of the first one's commit: then it has to arrive later.
void Ledger::check_order(std::int64_t id, const LedgerRow& row, std::uint32_t destination) {
  const bool has_other_targets = versions.size() > 1 && row.target.rfind("event:", 0) == 0;  // since a change
  if (row.at.at(destination).was_dead || row.is_removed || has_other_targets) return;
  TimePoint& youngest = youngest_.try_emplace({destination, row.key}, TimePoint::min()).first->second;
  if (*row.committed < youngest) violation_("out of order: " + name(id, destination));
  youngest = std::max(youngest, row.taken);
}

bool Ledger::has_all(const LedgerRow& row, bool as_told) const {
  if (row.is_whole_dead || row.is_removed) return true;
  return std::any_of(versions.begin(), versions.end(), [&](const auto& version) {
    const auto targets = version.find(row.target);
    if (targets == version.end()) return false;
    return std::all_of(targets->second.begin(), targets->second.end(), [&](std::uint32_t destination) {
      const auto at = row.at.find(destination);
      if (at == row.at.end()) return false;
      return at->second.is_dead || (as_told ? at->second.is_told : at->second.arrivals > 0);
    });
  });
}

void Ledger::removed(std::int64_t id) {
  if (!has_all(rows[id], true)) violation_("removed before it was confirmed: " + std::to_string(id));
}

void Ledger::buried(std::int64_t id, const std::string& status, const std::optional<std::uint32_t>& destination,
                    bool is_whole) {
  LedgerRow& row = rows[id];
  if (status == "poisoned" && !row.is_poison && row.deaths < 3) {
    violation_("poisoned without three deaths: " + std::to_string(id));
  }
  const bool is_unknown =
      std::none_of(versions.begin(), versions.end(), [&](const auto& one) { return one.count(row.target) > 0; });
  const bool is_bad = destination && row.at[*destination].was_dead;
  if (status != "poisoned" && !is_unknown && !is_bad) violation_("buried though it is good: " + std::to_string(id));
  if (destination) row.at[*destination].is_dead = true;
  if (!is_whole) return;
  if (status == "poisoned" || is_unknown) {
    row.is_whole_dead = true;
  } else if (!has_all(row, true)) {
    violation_("buried before others confirmed: " + std::to_string(id));
  }
}

void Ledger::excuse_all(std::int64_t id) {
  LedgerRow& row = rows[id];
  for (const auto& version : versions) {
    const auto targets = version.find(row.target);
    if (targets == version.end()) continue;
    const std::set<std::uint32_t> each(targets->second.begin(), targets->second.end());
    for (const std::uint32_t destination : each) ++row.at[destination].excuses;
  }
}

void Ledger::check_end() {
  for (const auto& [id, row] : rows) {
    if (!row.committed) continue;
    if (!has_all(row, false)) violation_("committed, and did not arrive: " + std::to_string(id));
    if (row.is_poison && !row.is_whole_dead) violation_("a poisoned message is not in the dead letters");
  }
}

}  // namespace action_triggers::tests
