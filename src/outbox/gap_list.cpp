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
  while (gaps_.size() > most_ranges) join_two();
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
  while (gaps_.size() > most_ranges) join_two();
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

bool GapList::Gap::is_read_by_itself() const { return is_joined || is_past_horizon; }

/// Of two ranges that follow each other it makes one. First of those that are read by themselves anyway, and of those
/// the nearest; then of the oldest: what has been open for long is little, and it is the order of what is committed now
/// that counts. Ranges that were seen more than a second apart are joined only where too many are left: one must not
/// grow for ever while newer ones keep it young.
void GapList::join_two() {
  const auto by_themselves =
      std::count_if(gaps_.begin(), gaps_.end(), [](const Gap& gap) { return gap.is_read_by_itself(); });
  const bool are_too_many = static_cast<std::size_t>(by_themselves) > most_ranges / 4;
  const auto price_of = [&](const Gap& gap, const Gap& next) -> std::pair<int, std::uint64_t> {
    const std::uint64_t between = static_cast<std::uint64_t>(next.ids.first) - static_cast<std::uint64_t>(gap.ids.last);
    const bool is_near_in_time = next.seen_at - gap.first_seen_at <= std::chrono::seconds(1);
    const bool are_alike = gap.is_read_by_itself() == next.is_read_by_itself();
    const bool is_free = are_alike && (gap.is_read_by_itself() || (is_near_in_time && between == 1));
    if (is_free) return {is_near_in_time ? 0 : are_too_many ? 1 : 3, between};
    return {is_near_in_time ? 2 : 4, 0};
  };
  std::size_t best = 0;
  auto least = price_of(gaps_[0], gaps_[1]);
  for (std::size_t i = 1; i + 1 < gaps_.size(); ++i) {
    const auto price = price_of(gaps_[i], gaps_[i + 1]);
    if (price >= least) continue;
    best = i;
    least = price;
  }
  Gap& gap = gaps_[best];
  const Gap& next = gaps_[best + 1];
  gap.is_joined = gap.is_joined || next.is_joined || next.ids.first - 1 > gap.ids.last;
  gap.ids.last = next.ids.last;
  gap.transactions_before = std::max(gap.transactions_before, next.transactions_before);
  gap.seen_at = std::max(gap.seen_at, next.seen_at);
  gap.first_seen_at = std::min(gap.first_seen_at, next.first_seen_at);
  gap.due = std::min(gap.due, next.due);
  gap.pause = std::min(gap.pause, next.pause);
  gap.has_numbers = gap.has_numbers && next.has_numbers;
  gap.is_past_horizon = gap.is_past_horizon && next.is_past_horizon;
  gaps_.erase(gaps_.begin() + static_cast<std::ptrdiff_t>(best) + 1);
}

void GapList::forget_above(std::int64_t last) {
  std::erase_if(gaps_, [last](const Gap& gap) { return gap.ids.first > last; });
  if (!gaps_.empty()) gaps_.back().ids.last = std::min(gaps_.back().ids.last, last);
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
