// SPDX-License-Identifier: MIT
#include "outbox/relay_core.hpp"

#include <algorithm>
#include <functional>

namespace action_triggers::detail {
namespace {

RetryPolicy store_retry() {
  RetryPolicy policy;
  policy.initial_backoff = std::chrono::milliseconds(50);
  policy.max_backoff = std::chrono::milliseconds(2'000);
  return policy;
}

}  // namespace

RelayCore::RelayCore(RelaySettings settings, RelayOutlet& outlet)
    : settings_(std::move(settings)),
      outlet_(outlet),
      backoff_(settings_.seed),
      rows_(settings_.batch),
      poll_pause_(settings_.poll_min) {}

// ---------------------------------------------------------------------------------------------------------- what to do

RelayAction RelayCore::next(TimePoint now) {
  if (asked_ == Asked::read) repeat_reading();  // it was not answered
  asked_ = Asked::nothing;
  asked_at_ = now;
  if (auto action = leave(now)) return *std::move(action);
  if (auto action = reopen_if_due(now)) return *std::move(action);
  if (auto action = keep_lease(now)) return *std::move(action);
  if (auto action = write_back(now)) return *std::move(action);
  if (auto action = read_if_due(now)) return *std::move(action);
  return WaitUntil{next_due(now)};
}

std::optional<RelayAction> RelayCore::leave(TimePoint now) {
  if (is_stopping_ && rows_.empty() && !is_finished_) {
    if (!lease_ || now >= lease_until_) {
      is_finished_ = true;
    } else if (is_open_) {
      asked_ = Asked::release;
      return ReleaseLease{*lease_, {.low = low(), .head = std::nullopt, .deaths = 0}};
    }
  }
  if (is_finished_) return RelayFinished{};
  return std::nullopt;
}

std::optional<RelayAction> RelayCore::reopen_if_due(TimePoint now) {
  if (is_open_) return std::nullopt;
  if (now < retry_at_) return WaitUntil{retry_at_};
  asked_ = Asked::reopen;
  return ReopenStore{};
}

std::optional<RelayAction> RelayCore::keep_lease(TimePoint now) {
  if (lease_ && (now >= renew_at_ || guard_.wants_notes())) {
    asked_ = Asked::renew;
    asked_notes_ = notes();
    return RenewLease{*lease_, settings_.lease, asked_notes_};
  }
  if (!lease_ && now >= acquire_at_ && !is_stopping_) {
    asked_ = Asked::acquire;
    return AcquireLease{settings_.shard, settings_.owner, settings_.lease};
  }
  return std::nullopt;
}

template <class Rows, class IdOf>
CreatedBetween RelayCore::created_between(const Rows& rows, const IdOf& id_of) {
  CreatedBetween between;
  for (const auto& row : rows) {
    if (const HeldRow* const held = rows_.find(id_of(row))) between.add(held->created_at);
  }
  return between;
}

std::optional<RelayAction> RelayCore::write_back(TimePoint now) {
  // At once before it ends, and as long as it may die of the next row: what has arrived is not to be sent again.
  const bool at_once = is_stopping_ || guard_.is_careful();
  if (lease_ && rows_.has_dead()) {
    auto burials = rows_.burials();
    if (!burials.empty()) {
      asked_ = Asked::bury;
      return BuryRows{std::move(burials)};
    }
  }
  if (rows_.removals_due(now) <= now || at_once) {
    std::vector<std::int64_t> ids = rows_.removals();
    asked_rows_ = ids.size();
    if (!ids.empty()) {
      asked_ = Asked::remove;
      const CreatedBetween created = created_between(ids, std::identity());
      return RemoveRows{std::move(ids), created};
    }
  }
  if (lease_ && (rows_.done_due(now) <= now || at_once)) {
    auto words = rows_.done_words(now, at_once);
    if (!words.empty()) {
      asked_ = Asked::done;
      const CreatedBetween created = created_between(words, [](const auto& word) { return word.first; });
      return SetDone{std::move(words), created};
    }
  }
  return std::nullopt;
}

TimePoint RelayCore::next_due(TimePoint now) {
  TimePoint at = rows_.removals_due(now);
  if (lease_) {
    at = std::min({at, renew_at_, rows_.done_due(now)});
  } else if (!is_stopping_) {
    at = std::min(at, acquire_at_);
  }
  if (may_send(now)) at = std::min(at, next_reading_due(now));
  return at;
}

TimePoint RelayCore::next_reading_due(TimePoint now) const {
  if (guard_.next_due() > now && guard_.next_due() != TimePoint::max()) return guard_.next_due();
  TimePoint at = waits_for_ ? waits_until_ : (is_hinted_ ? now : poll_at_);
  if (guard_.is_careful()) return at;
  at = std::min({at, gaps_.next_due(), sweep_.next_due()});
  for (const auto& [number, flow] : flows_) {
    at = std::min({at, flow.wants_rows(now) ? now : flow.next_try(now), flow.stops.next_due()});
  }
  return at;
}

// --------------------------------------------------------------------------------------------------------- its answers

bool RelayCore::answers(Asked asked) {
  if (asked_ != asked) return false;
  asked_ = Asked::nothing;
  if (asked != Asked::reopen) failures_ = 0;
  return true;
}

void RelayCore::store_failed(TimePoint now) {
  if (asked_ == Asked::nothing) return;
  if (asked_ == Asked::read) repeat_reading();
  if (asked_ == Asked::acquire) ++own_ends_;  // it may be ours, and we do not know it
  asked_ = Asked::nothing;
  is_open_ = false;
  ++failures_;
  retry_at_ = now + backoff_.after(store_retry(), failures_);
}

void RelayCore::reopened(TimePoint now) {
  if (!answers(Asked::reopen)) return;
  is_open_ = true;
  if (lease_) sweep_.begin(position_, now);  // a database that was killed may have lost removals
}

void RelayCore::acquired(TimePoint now, const std::optional<std::pair<Lease, ShardNotes>>& lease) {
  if (!answers(Asked::acquire)) return;
  acquire_at_ = now + settings_.poll_max;
  if (!lease) return;
  lease_ = lease->first;
  lease_until_ = asked_at_ + settings_.lease;
  renew_at_ = asked_at_ + settings_.lease / 3;
  begin_epoch(lease->second, now);
}

void RelayCore::renewed(TimePoint now, bool is_held) {
  if (!answers(Asked::renew)) return;
  if (!is_held) return lose_lease(now);
  lease_until_ = asked_at_ + settings_.lease;
  renew_at_ = asked_at_ + settings_.lease / 3;
  guard_.noted(asked_notes_);
  own_ends_ = 0;  // and that is noted
}

void RelayCore::released(TimePoint) {
  if (!answers(Asked::release)) return;
  lease_.reset();
}

void RelayCore::removed(TimePoint) {
  if (answers(Asked::remove)) rows_.removed(asked_rows_);
}

void RelayCore::done_set(TimePoint now) {
  if (answers(Asked::done)) rows_.done_set(now);
}

void RelayCore::buried(TimePoint now) {
  if (answers(Asked::bury)) rows_.buried(now);
}

// ----------------------------------------------------------------------------------------------------------- the lease

/// All that was known of the table is forgotten: others have sent and removed since.
void RelayCore::begin_epoch(const ShardNotes& notes, TimePoint now) {
  rows_.has_lease();
  for (auto& [number, flow] : flows_) flow.start_anew();
  gaps_.clear();
  guard_.begin(notes, own_ends_, settings_.batch);
  low_ = position_ = notes.low;
  last_inherited_ = std::numeric_limits<std::int64_t>::max();  // until the common reading has come to the end
  newest_ = RowTime::min();
  // Whoever may die of a row looks for it from the lowest id on, carefully.
  if (guard_.is_careful()) position_ = std::numeric_limits<std::int64_t>::min();
  sweep_.begin(position_, now);
  poll_at_ = now;
  poll_pause_ = settings_.poll_min;
  waits_for_.reset();
}

void RelayCore::lose_lease(TimePoint now) {
  lease_.reset();
  ++own_ends_;
  rows_.lost_lease();
  guard_ = HeadGuard();
  acquire_at_ = now + settings_.poll_max;
}

ShardNotes RelayCore::notes() const {
  ShardNotes notes = guard_.notes(rows_.lowest());
  notes.low = low();
  return notes;
}

std::int64_t RelayCore::low() const {
  std::int64_t low = position_;
  if (const auto row = rows_.lowest()) low = std::min(low, id_before(*row));
  if (const auto gap = gaps_.lowest()) low = std::min(low, id_before(*gap));
  for (const auto& [number, flow] : flows_) {
    if (flow.is_behind()) low = std::min(low, flow.cursor());
    if (const auto stop = flow.stops.lowest()) low = std::min(low, id_before(*stop));
  }
  return low;
}

void RelayCore::configuration_changed(TimePoint now) {
  for (auto& [number, flow] : flows_) {
    flow.change(outlet_.destination(number));
    flow.stops.retry_all(now);
  }
  if (lease_) sweep_.begin(position_, now);  // rows may have other targets than those that they were passed over for
}

}  // namespace action_triggers::detail
