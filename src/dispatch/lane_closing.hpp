// SPDX-License-Identifier: MIT
/// The end of a lane: whether it has begun, until when it may take, and what became of the messages meanwhile.
#pragma once

#include "dispatch/counter.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/due_heap.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

class LaneClosing {
 public:
  /// Of what got its outcome since begin(), beside each destination's abandoned_at_close. Read from any thread.
  struct Counts {
    Counter delivered;
    Counter failed;
  };

  /// Takes its place in the heap. Throws std::bad_alloc.
  explicit LaneClosing(DueHeap& due) : due_(due) { due_.make_place(); }

  void begin(TimePoint deadline, bool of_all) noexcept {
    has_begun_ = true;
    of_all_ = of_all;
    deadline_ = deadline;
    due_.set(alarm_, deadline);
  }
  [[nodiscard]] bool has_begun() const noexcept { return has_begun_; }
  /// Whether all of the dispatcher's lanes close; else this one has no destinations any more.
  [[nodiscard]] bool is_of_all() const noexcept { return of_all_; }
  /// For what ran out of time.
  [[nodiscard]] const char* why() const noexcept {
    return of_all_ ? "close() ran out of time" : "the destination was removed";
  }
  [[nodiscard]] bool is_late(TimePoint now) const noexcept { return now >= deadline_; }

  /// A message that has its outcome.
  void count(const Record& record) noexcept {
    if (record.result.code == StatusCode::ok) {
      counts_.delivered.add(1);
    } else if (record.result.code == StatusCode::closed) {
      if (!record.durable) record.dest().counters.abandoned_at_close.add(1);  // it is still in its outbox
    } else {
      counts_.failed.add(1);
    }
  }
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

 private:
  /// Wakes the lane up; its turn looks for itself what is due.
  class Alarm final : public Due {
    void on_due(TimePoint) override {}
  };

  DueHeap& due_;
  Alarm alarm_;
  TimePoint deadline_ = TimePoint::max();
  bool has_begun_ = false;
  bool of_all_ = false;
  Counts counts_;
};

}  // namespace action_triggers::detail
