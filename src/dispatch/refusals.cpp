// SPDX-License-Identifier: MIT
#include "dispatch/refusals.hpp"

#include <algorithm>
#include <chrono>

#include "dispatch/out_of_memory.hpp"

namespace action_triggers::detail {
namespace {

// How long the order holds while a destination takes nothing at all: longer than the election of a queue's leader.
constexpr std::chrono::seconds order_patience{10};

/// Messages that wait apart come back together, not each at a time of its own.
TimePoint on_grid(TimePoint at) {
  constexpr Clock::duration step = std::chrono::milliseconds(10);
  return at + (step - at.time_since_epoch() % step) % step;
}

}  // namespace

void send_again_later(Record& record, const Status& why, TimePoint now, Backoff& backoff) noexcept {
  Destination& destination = record.dest();
  if_memory_allows([&] { destination.last_refusal = why.to_string(); });
  destination.failed(why, now);
  ++record.failures;
  destination.queue.send_again(record);
  if (destination.paused) return;
  const TimePoint until = now + backoff.after(destination.config->retry, record.failures);
  const bool others_are_taken =  // or are to be tried, at last
      destination.none_taken_since == TimePoint::max() ||
      (now - destination.none_taken_since >= order_patience && !record.durable);
  if (why.code() != StatusCode::unavailable && record.failures > 1 && others_are_taken &&
      destination.queue.may_wait_apart()) {
    destination.queue.wait_apart(record, on_grid(until));
  } else {
    destination.paused = true;
    destination.pause_until = until;
    destination.none_taken_since = std::min(destination.none_taken_since, now);
  }
}

}  // namespace action_triggers::detail
