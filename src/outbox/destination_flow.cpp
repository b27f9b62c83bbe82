// SPDX-License-Identifier: MIT
#include "outbox/destination_flow.hpp"

#include <algorithm>

namespace action_triggers::detail {

bool DestinationFlow::has_room(std::size_t bytes, TimePoint now) const {
  if (is_draining_ || now < refused_until_) return false;
  return rows_ == 0 || (rows_ < room_.rows && bytes_ + bytes <= room_.bytes);
}

void DestinationFlow::took(std::size_t bytes) {
  ++rows_;
  bytes_ += bytes;
  needed_bytes_ = 0;
}

void DestinationFlow::gave_back(std::size_t bytes) {
  --rows_;
  bytes_ -= bytes;
  if (rows_ == 0) is_draining_ = false;
}

void DestinationFlow::refused(TimePoint now) {
  if (now < refused_until_) return;
  refused_until_ = now + refusal_pause_;
  refusal_pause_ = std::min(refusal_pause_ * 2, longest_refusal_pause);
}

void DestinationFlow::closed(std::int64_t row, TimePoint now) {
  fall_behind(id_before(row));
  is_draining_ = rows_ > 0;
  refused(now);
}

void DestinationFlow::fall_behind(std::int64_t cursor) {
  cursor_ = is_behind_ ? std::min(cursor_, cursor) : cursor;
  is_behind_ = true;
}

bool DestinationFlow::is_half_free(TimePoint now) const {
  if (is_draining_ || now < refused_until_) return false;
  return rows_ == 0 || (rows_ <= room_.rows / 2 && bytes_ <= room_.bytes / 2 && bytes_ + needed_bytes_ <= room_.bytes);
}

TimePoint DestinationFlow::next_try(TimePoint now) const {
  if (!is_behind_ || stops.holds_all() || is_draining_ || now >= refused_until_) return TimePoint::max();
  return refused_until_;
}

bool DestinationFlow::is_worth_waiting_for(TimePoint now) const {
  return rows_ > 0 && !is_draining_ && !stops.holds_all() && now >= refused_until_ && now >= no_patience_until_;
}

void DestinationFlow::start_anew() {
  is_behind_ = false;
  cursor_ = 0;
  stops.clear();
}

}  // namespace action_triggers::detail
