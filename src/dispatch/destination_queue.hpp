// SPDX-License-Identifier: MIT
/// The messages of one destination that have no outcome yet, in the order of firing: what the broker holds, what is
/// to be sent next, and what the broker has refused.
///
/// Order: messages are sent in the order of firing. After a lost connection the unconfirmed are sent again first. A
/// refused message keeps its place, and the destination pauses before it is sent again; if the broker refuses it again
/// while it takes others, it waits apart, and the others go on (docs/decisions/0004). With a window of one it never
/// waits apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "action_triggers/clock.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

class DestinationQueue {
 public:
  /// `window`: how many messages may be in flight at once; 0: any number.
  explicit DestinationQueue(std::size_t window) : window_(window) {}

  void push(Record& record) noexcept;
  /// Takes a message out for good: it has its outcome. What is in flight stays so.
  void remove(Record& record) noexcept;

  /// Collects the oldest unsent messages, at most `most`, as far as the window allows, and marks them as in flight.
  /// `batch` has memory for `most`.
  void fill_batch(std::vector<const OutboundMessage*>& batch, std::size_t most) noexcept;
  /// The broker holds it no more, and it is to be sent again at its place.
  void send_again(Record& record) noexcept;
  /// The broker has said what became of it.
  void landed(Record& record) noexcept {
    record.in_flight = false;
    --in_flight_;
  }

  /// Whether a refused message may wait apart from the others.
  [[nodiscard]] bool may_wait_apart() const noexcept { return window_ != 1; }
  void wait_apart(Record& record, TimePoint until) noexcept;
  /// Puts messages whose wait is over back at their place.
  void return_waiting(TimePoint now) noexcept;
  /// When return_waiting() has something to do next; max(): nothing waits apart.
  [[nodiscard]] TimePoint next_return() const noexcept { return next_return_; }

  [[nodiscard]] bool has_unsent() const noexcept { return next_unsent_ != nullptr; }
  [[nodiscard]] Record* next_unsent() const noexcept { return next_unsent_; }
  /// The oldest unsent message that is not durable, if there are more messages or bytes than these; otherwise nullptr.
  [[nodiscard]] Record* unsent_beyond(std::size_t messages, std::size_t bytes) const noexcept {
    Record* record = count_ > messages || bytes_ > bytes ? next_unsent_ : nullptr;
    while (record != nullptr && (record->durable || record->in_flight)) record = record->newer;
    return record;
  }
  [[nodiscard]] Record* oldest() const noexcept { return live_.oldest(); }
  /// Of those without an outcome: the deadline of the oldest, or of one that is not much younger; max(): there is none.
  [[nodiscard]] TimePoint earliest_deadline() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }

 private:
  [[nodiscard]] std::size_t open_window(std::size_t most) const noexcept;

  const std::size_t window_;
  RecordList live_;                           // in order; those that the broker holds are marked in_flight
  RecordList waiting_apart_;                  // refused, in the order of their refusals
  TimePoint next_return_ = TimePoint::max();  // none of waiting_apart_ is earlier; it may be too early
  Record* next_unsent_ = nullptr;             // the oldest of live_ that the broker does not hold
  std::size_t count_ = 0;                     // of both lists
  std::size_t bytes_ = 0;
  std::size_t in_flight_ = 0;
};

}  // namespace action_triggers::detail
