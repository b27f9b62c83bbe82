// SPDX-License-Identifier: MIT
#include "dispatch/outcome_queue.hpp"

#include <utility>

#include "dispatch/destination.hpp"

namespace action_triggers::detail {
namespace {

// Until they are freed no capacity counts them, so it is not released for much more than this at once.
constexpr std::size_t most_uncounted_bytes = 64UL * 1024UL;

Record* next_of(const Record& record) noexcept {
  return static_cast<Record*>(record.next_in_queue.load(std::memory_order_relaxed));  // only records are linked
}

}  // namespace

void release_capacity(Destination& destination, std::uint64_t messages, std::uint64_t bytes) noexcept {
  destination.capacity.release(messages, bytes);
  destination.counters.held.subtract(messages);  // afterwards: stats_of() relies on it
}

void OutcomeQueue::push(Record& record) noexcept {
  record.next_in_queue.store(nullptr, std::memory_order_relaxed);
  if (first_ == nullptr) {
    first_ = &record;
  } else {
    last_->next_in_queue.store(&record, std::memory_order_relaxed);
  }
  last_ = &record;
}

void OutcomeQueue::pop() noexcept {
  first_ = next_of(*first_);
  if (released_ > 0) --released_;
}

/// For several messages of a destination at once: the threads that fire reserve from the same atomic.
void OutcomeQueue::release_capacity_of_first() noexcept {
  if (released_ > 0) return;
  std::size_t bytes = 0;
  for (Record* record = first_; record != nullptr && bytes < most_uncounted_bytes;) {
    Destination& destination = record->dest();
    std::uint64_t messages_of_it = 0;
    std::uint64_t bytes_of_it = 0;
    for (; record != nullptr && &record->dest() == &destination && bytes < most_uncounted_bytes;
         record = next_of(*record)) {
      ++released_;
      // What the client library still holds keeps its capacity until it is released there.
      if (record->in_flight || !std::exchange(record->holds_capacity, false)) continue;
      ++messages_of_it;
      bytes_of_it += record->capacity_bytes;
      bytes += sizeof(Record) + record->capacity_bytes;
    }
    release_capacity(destination, messages_of_it, bytes_of_it);
  }
}

}  // namespace action_triggers::detail
