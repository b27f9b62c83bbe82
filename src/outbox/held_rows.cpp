// SPDX-License-Identifier: MIT
#include "outbox/held_rows.hpp"

#include <algorithm>
#include <unordered_set>

#include "outbox/row_targets.hpp"

namespace action_triggers::detail {
namespace {

std::uint64_t bit_mask(std::size_t bit) { return bit < most_done_bits ? std::uint64_t{1} << bit : 0; }

}  // namespace

std::size_t room_of(const OutboxRow& row) { return 64 + bytes_of(row); }

std::uint64_t HeldRow::bits() const {
  std::uint64_t all = 0;
  for (std::size_t bit = 0; bit < states.size(); ++bit) {
    if (states[bit] == TargetState::settled) all |= bit_mask(bit);
  }
  return all;
}

std::uint64_t HeldRow::mask_of_others(std::size_t bit) const {
  std::uint64_t all = 0;
  for (std::size_t one = 0; one < states.size(); ++one) all |= bit_mask(one);
  return all & ~bit_mask(bit);
}

HeldRow* HeldRows::find(std::int64_t id) {
  const auto row = rows_.find(id);
  return row == rows_.end() ? nullptr : &row->second;
}

std::optional<std::int64_t> HeldRows::lowest() const {
  std::optional<std::int64_t> least;
  for (const auto& [id, row] : rows_) least = std::min(least.value_or(id), id);
  return least;
}

// ------------------------------------------------------------------------------------------------ what becomes of them

HeldRow& HeldRows::hold(const OutboxRow& row, const RowTargets& targets) {
  HeldRow& held = rows_[row.id];
  held.id = row.id;
  held.created_at = row.created_at;
  held.bytes = room_of(row);
  held.fingerprint = targets.fingerprint;
  held.destinations = targets.destinations;
  held.states.assign(targets.destinations.size(), TargetState::unsent);
  held.written = done_bits(row.done, targets.fingerprint);
  for (std::size_t bit = 0; bit < held.states.size(); ++bit) {
    if ((held.written & bit_mask(bit)) == 0) continue;
    held.states[bit] = TargetState::settled;
    ++held.settled;
  }
  held.written = held.bits();  // without those of targets that it does not have
  return held;
}

void HeldRows::learn(HeldRow& row, const OutboxRow& read, std::uint16_t fingerprint, TimePoint now) {
  if (!row.is_stale || row.fingerprint != fingerprint) return;
  row.is_stale = false;
  const std::uint64_t bits = done_bits(read.done, fingerprint);
  for (std::uint32_t bit = 0; bit < row.states.size(); ++bit) {
    if ((bits & bit_mask(bit)) != 0 && row.states[bit] == TargetState::unsent) settle(row, bit);
  }
  row.written = bits & row.bits();
  review(row, now);
}

void HeldRows::sent(HeldRow& row, std::uint32_t bit) {
  row.states[bit] = TargetState::in_flight;
  ++row.in_flight;
  ++in_flight_;
  count_idle(row);
}

void HeldRows::confirmed(HeldRow& row, std::uint32_t bit, TimePoint now) {
  --row.in_flight;
  --in_flight_;
  settle(row, bit);
  review(row, now);
}

void HeldRows::unsent(HeldRow& row, std::uint32_t bit, TimePoint now) {
  row.states[bit] = TargetState::unsent;
  --row.in_flight;
  --in_flight_;
  review(row, now);
}

void HeldRows::died(HeldRow& row, std::uint32_t bit, DeadRow dead, TimePoint now) {
  row.states[bit] = TargetState::dead;
  --row.in_flight;
  --in_flight_;
  ++row.dead;
  dead_.push_back({std::move(dead), bit});
  review(row, now);
}

void HeldRows::leave(const OutboxRow& row, TimePoint now) {
  HeldRow& held = rows_[row.id];
  held.id = row.id;
  held.created_at = row.created_at;
  held.is_leaving = true;
  leaving_.emplace_back(now, row.id);
}

void HeldRows::bury_whole(DeadRow dead) {
  HeldRow& row = rows_[dead.id];
  row.id = dead.id;
  row.created_at = dead.created_at;
  row.is_leaving = true;
  row.dead = 1;
  dead_.push_back({std::move(dead), std::nullopt});
}

void HeldRows::settle(HeldRow& row, std::uint32_t bit) {
  row.states[bit] = TargetState::settled;
  ++row.settled;
}

void HeldRows::review(HeldRow& row, TimePoint now) {
  if (row.is_leaving) return;
  if (row.all_settled()) {
    row.is_leaving = true;
    leaving_.emplace_back(now, row.id);
    return count_idle(row);
  }
  const bool has_news = has_lease_ && !row.is_stale && row.bits() != row.written;
  if (row.is_idle() && !has_news) return forget(row);
  if (has_news && !row.waits_for_done) {
    row.waits_for_done = true;
    partly_settled_.emplace_back(now, row.id);
  }
  count_idle(row);
}

void HeldRows::count_idle(HeldRow& row) {
  const bool is_idle = row.waits_for_done && row.is_idle();
  if (is_idle == row.is_counted_idle) return;
  row.is_counted_idle = is_idle;
  idle_ += is_idle ? 1 : std::size_t{0} - 1;
}

void HeldRows::forget(HeldRow& row) {
  if (row.is_counted_idle) --idle_;
  rows_.erase(row.id);
}

// ------------------------------------------------------------------------------------------- what the table is to know

std::vector<DeadRow> HeldRows::burials() {
  // Those of an action that has failed: once more, and what is whole may have changed.
  for (; !burying_.empty(); burying_.pop_back()) dead_.push_front(std::move(burying_.back()));
  std::unordered_set<std::int64_t> ids;  // one of a row at a time: which one is the last, the next time says
  std::deque<Dead> rest;
  std::vector<DeadRow> rows;
  for (; !dead_.empty(); dead_.pop_front()) {
    Dead& dead = dead_.front();
    const HeldRow* const row = find(dead.row.id);
    if (row == nullptr) continue;
    if (burying_.size() == batch_ || !ids.insert(dead.row.id).second) {
      rest.push_back(std::move(dead));
      continue;
    }
    dead.row.is_whole = !dead.bit || row->settled + 1 == row->states.size();
    dead.row.done = dead.bit ? done_word(row->fingerprint, row->bits() | bit_mask(*dead.bit)) : 0;
    dead.row.replay_done = dead.bit ? done_word(row->fingerprint, row->mask_of_others(*dead.bit)) : 0;
    rows.push_back(dead.row);
    burying_.push_back(std::move(dead));
  }
  dead_ = std::move(rest);
  return rows;
}

void HeldRows::buried(TimePoint now) {
  for (const Dead& dead : std::exchange(burying_, {})) {
    HeldRow* const row = find(dead.row.id);
    if (row == nullptr) continue;
    if (dead.row.is_whole) {
      forget(*row);
      continue;
    }
    --row->dead;
    row->written = row->fingerprint == dead.row.done >> most_done_bits ? dead.row.done & done_bits_mask : 0;
    settle(*row, *dead.bit);
    review(*row, now);
  }
}

TimePoint HeldRows::removals_due(TimePoint now) const {
  if (leaving_.empty()) return TimePoint::max();
  return leaving_.size() >= batch_ ? now : leaving_.front().first + longest_removal_delay;
}

std::vector<std::int64_t> HeldRows::removals() const {
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < std::min(batch_, leaving_.size()); ++i) ids.push_back(leaving_[i].second);
  return ids;
}

void HeldRows::removed(std::size_t count) {
  for (; count > 0 && !leaving_.empty(); --count, leaving_.pop_front()) {
    if (HeldRow* const row = find(leaving_.front().second)) forget(*row);
  }
}

TimePoint HeldRows::done_due(TimePoint now) {
  for (; !partly_settled_.empty(); partly_settled_.pop_front()) {
    const HeldRow* const row = find(partly_settled_.front().second);
    if (row != nullptr && row->waits_for_done && !row->is_leaving) break;
  }
  if (!writing_.empty() || idle_ >= batch_) return now;
  return partly_settled_.empty() ? TimePoint::max() : partly_settled_.front().first + longest_partly_settled;
}

std::vector<std::pair<std::int64_t, std::uint64_t>> HeldRows::done_words(TimePoint now, bool all) {
  for (const auto& [id, bits] : std::exchange(writing_, {})) {  // of an action that has failed
    HeldRow* const row = find(id);
    if (row == nullptr || row->waits_for_done) continue;
    row->waits_for_done = true;
    partly_settled_.emplace_front(TimePoint::min(), id);
    count_idle(*row);
  }
  const bool too_many = idle_ >= batch_;
  std::vector<std::pair<std::int64_t, std::uint64_t>> words;
  std::deque<std::pair<TimePoint, std::int64_t>> rest;
  for (const auto& [since, id] : std::exchange(partly_settled_, {})) {
    HeldRow* const row = find(id);
    if (row == nullptr || !row->waits_for_done || row->is_leaving) continue;
    const bool is_due = all || since <= now - longest_partly_settled || (too_many && row->is_idle());
    if (!is_due || words.size() == batch_) {
      rest.emplace_back(since, id);
      continue;
    }
    row->waits_for_done = false;
    count_idle(*row);
    writing_.emplace_back(id, row->bits());
    words.emplace_back(id, done_word(row->fingerprint, row->bits()));
  }
  partly_settled_ = std::move(rest);
  return words;
}

void HeldRows::done_set(TimePoint now) {
  for (const auto& [id, bits] : std::exchange(writing_, {})) {
    HeldRow* const row = find(id);
    if (row == nullptr || row->is_leaving) continue;
    row->written = bits;
    review(*row, now);
  }
}

void HeldRows::lost_lease() {
  has_lease_ = false;
  dead_.clear();
  burying_.clear();
  partly_settled_.clear();
  writing_.clear();
  idle_ = 0;
  for (auto one = rows_.begin(); one != rows_.end();) {
    HeldRow& row = one->second;
    row.waits_for_done = row.is_counted_idle = false;
    row.is_stale = true;
    if (row.is_leaving && row.dead > 0) row.is_leaving = false;  // it was to be buried
    row.dead = 0;
    for (TargetState& state : row.states) {
      if (state == TargetState::dead) state = TargetState::unsent;
    }
    one = row.is_idle() ? rows_.erase(one) : std::next(one);
  }
}

}  // namespace action_triggers::detail
