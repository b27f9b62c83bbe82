// SPDX-License-Identifier: MIT
#include "outbox/gap_list.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace action_triggers::detail {

void GapList::add(IdRange missing, const Horizon& snapshot, TimePoint now) {
  if (snapshot.next == 0) return;  // one transaction writes at a time: nobody commits a smaller id later
  if (!gaps_.empty()) {
    if (missing.last <= gaps_.back().ids.last) return;
    missing.first = std::max(missing.first, gaps_.back().ids.last + 1);
  }
  if (missing.first > missing.last) return;
  gaps_.push_back({missing, snapshot.next, now, now, now + first_pause, first_pause, false, false, false, false});
  while (gaps_.size() > most_ranges) join_nearest();
}

std::vector<IdRange> GapList::due(TimePoint now) {
  asked_at_ = now;
  std::vector<IdRange> ranges;
  for (Gap& gap : gaps_) {
    gap.is_asked = gap.due <= now;
    if (gap.is_asked) ranges.push_back(gap.ids);
  }
  return ranges;
}

std::vector<IdRange> GapList::open(TimePoint now) {
  asked_at_ = now;
  std::vector<IdRange> ranges;
  for (Gap& gap : gaps_) {
    const std::uint64_t width = static_cast<std::uint64_t>(gap.ids.last) - static_cast<std::uint64_t>(gap.ids.first);
    gap.is_asked = !gap.is_joined && width < widest_open && !gap.is_past_horizon;
    if (gap.is_asked) ranges.push_back(gap.ids);
  }
  return ranges;
}

void GapList::read_again(const ReadResult& result, TimePoint now) { judge(result, now, false); }

void GapList::read_along(const ReadResult& result, TimePoint now) { judge(result, now, true); }

void GapList::judge(const ReadResult& result, TimePoint now, bool is_along) {
  std::int64_t read_to = std::numeric_limits<std::int64_t>::max();
  if (!result.is_complete) {
    read_to = result.rows.empty() ? std::numeric_limits<std::int64_t>::min() : result.rows.back().id;
  }
  std::vector<Gap> kept;
  for (Gap& gap : gaps_) {
    if (!std::exchange(gap.is_asked, false) || gap.ids.first > read_to) {
      kept.push_back(gap);
      continue;
    }
    Gap rest = gap;
    gap.ids.last = std::min(gap.ids.last, read_to);
    look_at_horizon(gap, result.horizon);
    if (!is_along) {
      gap.pause = std::min(gap.pause * 2, longest_pause);
      gap.due = now + gap.pause;
    }
    const bool is_over = gap.is_past_horizon && now - gap.seen_at >= shortest_life;
    if (!is_over) keep_what_is_missing(gap, result, kept);
    if (rest.ids.last <= read_to) continue;
    rest.ids.first = read_to + 1;  // a limit stopped the reading: at once again
    kept.push_back(rest);
  }
  gaps_ = std::move(kept);
  while (gaps_.size() > most_ranges) join_nearest();
}

void GapList::look_at_horizon(Gap& gap, const Horizon& horizon) const {
  if (gap.has_numbers) {
    gap.is_past_horizon = gap.is_past_horizon || horizon.oldest_open >= gap.transactions_before;
  } else if (asked_at_ - gap.seen_at >= number_comes_within) {
    gap.has_numbers = true;
    gap.transactions_before = std::max(gap.transactions_before, horizon.next);
  }
}

/// The rows that have come take their ids out of the range.
void GapList::keep_what_is_missing(const Gap& gap, const ReadResult& result, std::vector<Gap>& kept) const {
  Gap piece = gap;
  auto row = std::lower_bound(result.rows.begin(), result.rows.end(), gap.ids.first,
                              [](const OutboxRow& one, std::int64_t id) { return one.id < id; });
  for (; row != result.rows.end() && row->id <= gap.ids.last; ++row) {
    if (row->id > piece.ids.first) {
      piece.ids.last = row->id - 1;
      kept.push_back(piece);
    }
    if (row->id == gap.ids.last) return;
    piece.ids.first = row->id + 1;
  }
  piece.ids.last = gap.ids.last;
  if (piece.ids.first <= piece.ids.last) kept.push_back(piece);
}

/// Of the two nearest ranges it makes one: first of those seen within a second of each other, so that one range does
/// not grow for ever while newer ones keep it young.
void GapList::join_nearest() {
  std::size_t best = 0;
  bool best_is_near_in_time = false;
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t i = 0; i + 1 < gaps_.size(); ++i) {
    const std::uint64_t between =
        static_cast<std::uint64_t>(gaps_[i + 1].ids.first) - static_cast<std::uint64_t>(gaps_[i].ids.last);
    const bool is_near_in_time = gaps_[i + 1].seen_at - gaps_[i].first_seen_at <= std::chrono::seconds(1);
    if (is_near_in_time < best_is_near_in_time || (is_near_in_time == best_is_near_in_time && between >= least))
      continue;
    best = i;
    best_is_near_in_time = is_near_in_time;
    least = between;
  }
  Gap& gap = gaps_[best];
  const Gap& next = gaps_[best + 1];
  gap.ids.last = next.ids.last;
  gap.transactions_before = std::max(gap.transactions_before, next.transactions_before);
  gap.seen_at = std::max(gap.seen_at, next.seen_at);
  gap.first_seen_at = std::min(gap.first_seen_at, next.first_seen_at);
  gap.due = std::min(gap.due, next.due);
  gap.pause = std::min(gap.pause, next.pause);
  gap.has_numbers = gap.has_numbers && next.has_numbers;
  gap.is_past_horizon = gap.is_past_horizon && next.is_past_horizon;
  gap.is_joined = gap.is_joined || next.is_joined || least > 1;
  gaps_.erase(gaps_.begin() + static_cast<std::ptrdiff_t>(best) + 1);
}

TimePoint GapList::next_due() const {
  TimePoint at = TimePoint::max();
  for (const Gap& gap : gaps_) at = std::min(at, gap.due);
  return at;
}

std::optional<std::int64_t> GapList::lowest() const {
  if (gaps_.empty()) return std::nullopt;
  return gaps_.front().ids.first;
}

}  // namespace action_triggers::detail
