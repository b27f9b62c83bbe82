// SPDX-License-Identifier: MIT
// RelayCore: what it reads, and when.
#include <algorithm>
#include <limits>

#include "outbox/relay_core.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::int64_t last_id = std::numeric_limits<std::int64_t>::max();

}  // namespace

std::optional<RelayAction> RelayCore::read_if_due(TimePoint now) {
  if (!may_send(now) || !guard_.has_survived(now, rows_.in_flight())) return std::nullopt;
  end_waiting_for_room(now);
  const auto last = static_cast<std::size_t>(reading_);
  for (std::size_t i = 1; i <= readings; ++i) {
    const auto reading = static_cast<Reading>((last + i) % readings);
    if (guard_.is_careful() && reading != Reading::common) continue;
    auto ids = ids_to_read(reading, now);
    if (!ids) continue;
    reading_ = reading;
    reading_ids_ = *std::move(ids);
    asked_ = Asked::read;
    ReadRequest request;
    request.lease = *lease_;
    request.ids = reading_ids_;
    if (is_for_one()) request.targets = flows_.at(reading_for_).destination().row_targets;
    request.limit = guard_.limit();
    return ReadRows{std::move(request)};
  }
  return std::nullopt;
}

std::optional<std::vector<IdRange>> RelayCore::ids_to_read(Reading reading, TimePoint now) {
  switch (reading) {
    case Reading::common:
      if (waits_for_ || position_ == last_id || (!is_hinted_ && now < poll_at_)) return std::nullopt;
      return new_ids(now);
    case Reading::gaps:
      if (gaps_.next_due() > now) return std::nullopt;
      return gaps_.due(now);
    case Reading::sweep:
      if (sweep_.next_due() > now) return std::nullopt;
      return std::vector<IdRange>{sweep_.next(position_, now)};
    case Reading::stopped:
    case Reading::behind:
      break;
  }
  return ids_of_flow(reading, now);
}

/// What may have been committed late, and what is new, in one snapshot: that keeps their order.
std::vector<IdRange> RelayCore::new_ids(TimePoint now) {
  is_hinted_ = false;
  std::vector<IdRange> ids = gaps_.open(now);
  ids.push_back({position_ + 1, last_id});
  return ids;
}

/// Flows that have fallen behind take turns, those with a dead row to try again do not need to.
std::optional<std::vector<IdRange>> RelayCore::ids_of_flow(Reading reading, TimePoint now) {
  auto flow = reading == Reading::behind ? flows_.upper_bound(last_behind_) : flows_.begin();
  for (std::size_t i = 0; i < flows_.size(); ++i, ++flow) {
    if (flow == flows_.end()) flow = flows_.begin();
    auto& [number, one] = *flow;
    reading_for_ = number;
    if (reading == Reading::stopped) {
      std::vector<IdRange> ids;
      for (const std::int64_t id : one.stops.due(now, settings_.batch)) ids.push_back({id, id});
      if (!ids.empty()) return ids;
      continue;
    }
    if (!one.wants_rows(now)) continue;
    if (one.cursor() >= position_) {
      one.follow();
      continue;
    }
    last_behind_ = number;
    return std::vector<IdRange>{{one.cursor() + 1, position_}};
  }
  return std::nullopt;
}

/// The reading was not carried out. Of the others, each knows itself when it is due.
void RelayCore::repeat_reading() {
  if (reading_ == Reading::common) is_hinted_ = true;
  if (reading_ == Reading::stopped) flows_.at(reading_for_).stops.retry_all(asked_at_);
}

void RelayCore::end_waiting_for_room(TimePoint now) {
  if (!waits_for_) return;
  DestinationFlow& flow = flows_.at(*waits_for_);
  if (!flow.is_half_free(now)) {
    if (now < waits_until_ && flow.is_worth_waiting_for(now)) return;
    flow.fall_behind(position_);
    flow.used_up_patience(now);
  }
  waits_for_.reset();
  is_hinted_ = true;
}

void RelayCore::read_done(TimePoint now, const ReadResult& result) {
  if (!answers(Asked::read)) return;
  if (!result.lease_is_held) return lose_lease(now);
  if (!may_send(now)) return repeat_reading();
  switch (reading_) {
    case Reading::common:
      return read_common(now, result);
    case Reading::gaps:
      return read_gaps(now, result);
    case Reading::sweep:
      return read_sweep(now, result);
    case Reading::behind:
      return read_behind(now, result);
    case Reading::stopped:
      return read_stopped(now, result);
  }
}

/// Up to a row that the last owner may have died of: the next reading begins with that one.
std::optional<ReadResult> RelayCore::before_suspect(const ReadResult& result) const {
  const auto suspect = std::find_if(result.rows.begin(), result.rows.end(),
                                    [&](const OutboxRow& row) { return guard_.is_suspect(row.id); });
  if (suspect == result.rows.begin() || suspect == result.rows.end()) return std::nullopt;
  return ReadResult{.lease_is_held = result.lease_is_held,
                    .rows = {result.rows.begin(), suspect},
                    .is_complete = false,
                    .horizon = result.horizon};
}

void RelayCore::read_common(TimePoint now, const ReadResult& result) {
  if (const auto before = before_suspect(result)) return read_common(now, *before);
  if (!result.rows.empty() && !guard_.may_send(result.rows.front().id)) {
    is_hinted_ = true;  // again, when the table knows which row is at its head
    return;
  }
  gaps_.read_along(result, now);
  const std::size_t were_in_flight = rows_.in_flight();
  bool is_full = false;
  for (const OutboxRow& row : result.rows) {
    is_full = !take_new_row(now, row, result.horizon);
    if (is_full) break;
  }
  if (result.rows.empty()) {
    position_ = std::max(position_, low_);
    guard_.relax();
  } else if (rows_.in_flight() != were_in_flight) {
    guard_.sent(now);
  } else {
    guard_.sent_nothing();
  }
  if (result.is_complete && !is_full) last_inherited_ = std::min(last_inherited_, position_);
  set_poll(now, result, is_full);
}

/// False: the common reading waits before this row.
bool RelayCore::take_new_row(TimePoint now, const OutboxRow& row, const Horizon& snapshot) {
  if (row.id <= position_) {
    offer(now, row);
    return true;
  }
  const std::int64_t before = std::max(position_, low_);
  if (row.id - 1 > before) gaps_.add({before + 1, row.id - 1}, snapshot, now);
  position_ = row.id - 1;
  if (offer(now, row) == Offer::full) return false;
  position_ = row.id;
  newest_ = std::max(newest_, row.created_at);
  return true;
}

void RelayCore::set_poll(TimePoint now, const ReadResult& result, bool is_full) {
  if (result.rows.empty()) {
    poll_at_ = now + poll_pause_;
    poll_pause_ = std::min(poll_pause_ * 2, settings_.poll_max);
    return;
  }
  poll_pause_ = settings_.poll_min;
  poll_at_ = result.is_complete && !is_full ? now + poll_pause_ : now;
}

void RelayCore::read_gaps(TimePoint now, const ReadResult& result) {
  for (const OutboxRow& row : result.rows) offer(now, row);
  gaps_.read_again(result, now);
}

/// Where ids were given again, those that follow are to be read as they come, and not by the next sweep.
void RelayCore::read_sweep(TimePoint now, const ReadResult& result) {
  std::optional<std::int64_t> given_again;
  for (const OutboxRow& row : result.rows) {
    const std::size_t were_in_flight = rows_.in_flight();
    offer(now, row);
    const bool is_new = rows_.in_flight() != were_in_flight && row.created_at > newest_;
    if (is_new && row.id < position_ && !given_again) given_again = row.id;
  }
  if (given_again) {
    low_ = position_ = *given_again;
    gaps_.forget_above(position_);
    is_hinted_ = true;
  }
  sweep_.read(result, asked_at_, now);
}

void RelayCore::read_behind(TimePoint now, const ReadResult& result) {
  DestinationFlow& flow = flows_.at(reading_for_);
  // An outcome has put it further back while the rows were read.
  if (!flow.is_behind() || flow.cursor() != reading_ids_.front().first - 1) return;
  for (const OutboxRow& row : result.rows) {
    if (offer(now, row) == Offer::full) return flow.advance(id_before(row.id));
    flow.advance(row.id);
  }
  if (result.is_complete) flow.follow();
}

/// Of the dead rows that others wait for, each is sent once more, or those that wait go on without it.
void RelayCore::read_stopped(TimePoint now, const ReadResult& result) {
  DestinationFlow& flow = flows_.at(reading_for_);
  for (const IdRange& id : reading_ids_) {
    const auto row =
        std::find_if(result.rows.begin(), result.rows.end(), [&](const OutboxRow& one) { return one.id == id.first; });
    if (row == result.rows.end()) {
      if (result.is_complete) resume(flow, id.first);
      continue;
    }
    offer(now, *row);
    if (!is_needed(*row, reading_for_)) resume(flow, row->id);
  }
}

}  // namespace action_triggers::detail
