// SPDX-License-Identifier: MIT
#include "outbox/head_guard.hpp"

#include <algorithm>
#include <cstdlib>

namespace action_triggers::detail {

void HeadGuard::begin(const ShardNotes& inherited, std::int32_t alive, std::size_t batch) {
  *this = HeadGuard();
  inherited_ = inherited;
  if (inherited.head) inherited_.head = std::abs(*inherited.head);
  inherited_.deaths -= std::min(inherited.deaths, alive);
  batch_ = batch;
  is_careful_ = inherited.deaths > 0;
  if (inherited_.deaths >= most_deaths) poisoned_ = inherited_.head;
}

bool HeadGuard::may_send(std::int64_t first) {
  // No database gives such an id by itself, and a head below 0 means something else.
  if (first <= 0) return true;
  if (!is_careful_) {
    head_ = first;
    return true;
  }
  const bool is_suspect = first == inherited_.head && window_ > 1;
  if (is_suspect) window_ = 1;  // alone, or it is blamed for one behind it
  if (noted_head_ == first && !is_suspect) return true;
  head_ = first;
  wants_notes_ = true;
  return false;
}

ShardNotes HeadGuard::notes(std::optional<std::int64_t> lowest) const {
  ShardNotes notes;
  if (!is_careful_) {
    // Not only the lowest, which may wait for its broker for long: whoever comes next is careful up to here.
    if (lowest) notes.head = std::max(*lowest, head_.value_or(*lowest));
    if (notes.head <= 0) notes.head.reset();
    return notes;
  }
  notes.head = head_;
  if (!head_ && inherited_.head) notes.head = -*inherited_.head;  // nobody can die of it yet
  if (!head_ || head_ == inherited_.head) notes.deaths = inherited_.deaths;
  return notes;
}

void HeadGuard::noted(const ShardNotes& notes) {
  noted_head_ = notes.head;
  const bool is_known = is_careful_ ? notes.head == head_ : notes.deaths == 0;
  if (is_known) wants_notes_ = false;
}

void HeadGuard::sent(TimePoint now) {
  if (!is_careful_) return;
  has_sent_ = true;
  survived_at_ = now + survival;
}

void HeadGuard::sent_nothing() {
  if (!is_careful_) return;
  has_sent_ = true;
  survived_at_ = TimePoint::min();
}

bool HeadGuard::has_survived(TimePoint now, std::size_t in_flight) {
  if (!has_sent_) return true;
  if (in_flight > 0 && now < survived_at_) return false;
  has_sent_ = false;
  window_ = std::min(window_ * 2, batch_);
  const bool is_past_suspect = !inherited_.head || !head_ || *head_ > *inherited_.head;
  if (window_ == batch_ && is_past_suspect) relax();
  return true;
}

void HeadGuard::relax() {
  if (!is_careful_) return;
  is_careful_ = false;
  wants_notes_ = true;  // nobody has died of it
}

}  // namespace action_triggers::detail
