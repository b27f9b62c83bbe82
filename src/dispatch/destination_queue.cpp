// SPDX-License-Identifier: MIT
#include "dispatch/destination_queue.hpp"

#include <algorithm>

namespace action_triggers::detail {
namespace {

Record* first_unsent_from(Record* record) noexcept {
  while (record != nullptr && record->in_flight) record = record->newer;
  return record;
}

}  // namespace

void DestinationQueue::push(Record& record) noexcept {
  live_.push_newest(record);
  ++count_;
  bytes_ += record.capacity_bytes;
  if (next_unsent_ == nullptr) next_unsent_ = &record;
}

void DestinationQueue::remove(Record& record) noexcept {
  if (record.waits_apart) {
    record.waits_apart = false;
    waiting_apart_.remove(record);
    if (waiting_apart_.empty()) next_return_ = TimePoint::max();
  } else {
    if (next_unsent_ == &record) next_unsent_ = first_unsent_from(record.newer);
    live_.remove(record);
  }
  --count_;
  bytes_ -= record.capacity_bytes;
}

TimePoint DestinationQueue::earliest_deadline() const noexcept {
  const auto deadline_of = [](const Record* record) {
    return record == nullptr ? TimePoint::max() : record->queued.deadline;
  };
  return std::min(deadline_of(live_.oldest()), deadline_of(waiting_apart_.oldest()));
}

std::size_t DestinationQueue::open_window(std::size_t most) const noexcept {
  if (window_ == 0) return most;
  const std::size_t open = window_ > in_flight_ ? window_ - in_flight_ : 0;
  if (open < window_ / 8) return 0;  // until it is worth while: not one message for each confirmation
  return std::min(most, open);
}

void DestinationQueue::fill_batch(std::vector<const OutboundMessage*>& batch, std::size_t most) noexcept {
  batch.clear();
  most = open_window(most);
  Record* next = next_unsent_;
  for (; next != nullptr && batch.size() < most; next = next->newer) {
    if (next->in_flight) continue;
    __builtin_prefetch(next->newer);  // comes while this one's payload does
    next->in_flight = true;
    next->write_id();
    next->count_attempt(+1);
    batch.push_back(next);
  }
  in_flight_ += batch.size();
  next_unsent_ = first_unsent_from(next);  // not in flight: nothing that the broker says in send() can take it away
}

void DestinationQueue::send_again(Record& record) noexcept {
  if (next_unsent_ == nullptr || record.queued.sequence < next_unsent_->queued.sequence) next_unsent_ = &record;
}

void DestinationQueue::wait_apart(Record& record, TimePoint until) noexcept {
  if (next_unsent_ == &record) next_unsent_ = first_unsent_from(record.newer);
  live_.remove(record);
  waiting_apart_.push_newest(record);
  record.waits_apart = true;
  record.queued.retry_at = until;
  next_return_ = std::min(next_return_, until);
}

void DestinationQueue::return_waiting(TimePoint now) noexcept {
  if (now < next_return_) return;
  next_return_ = TimePoint::max();
  Record* placed = nullptr;  // the one before; they are mostly in order
  for (Record* record = waiting_apart_.oldest(); record != nullptr;) {
    Record* const next = record->newer;
    if (record->queued.retry_at <= now) {
      waiting_apart_.remove(*record);
      record->waits_apart = false;
      // It is among the oldest.
      Record* newer =
          placed != nullptr && placed->queued.sequence < record->queued.sequence ? placed->newer : live_.oldest();
      while (newer != nullptr && newer->queued.sequence < record->queued.sequence) newer = newer->newer;
      live_.insert_before(newer, *record);
      send_again(*record);
      placed = record;
    } else {
      next_return_ = std::min(next_return_, record->queued.retry_at);
    }
    record = next;
  }
}

}  // namespace action_triggers::detail
