// SPDX-License-Identifier: MIT
/// Everything that a lane has to do at some point in time, in one heap: deadlines, pauses, reconnects, the end of a
/// close.
#pragma once

#include <cstddef>
#include <vector>

#include "action_triggers/clock.hpp"

namespace action_triggers::detail {

/// Something that is due at a point in time. Lies in what it belongs to; in one heap at most.
class Due {
 public:
  Due() = default;
  Due(const Due&) = delete;
  Due& operator=(const Due&) = delete;
  virtual ~Due() = default;

  /// max(): not due at all.
  [[nodiscard]] TimePoint at() const noexcept { return at_; }
  [[nodiscard]] bool is_set() const noexcept { return at_ != TimePoint::max(); }

 private:
  friend class DueHeap;
  /// Called when its time has come; it is not set any more, and may be set again.
  virtual void on_due(TimePoint now) = 0;

  TimePoint at_ = TimePoint::max();
  std::size_t place_ = 0;  // in the heap
};

/// A binary heap by time. Setting and clearing take logarithmic time; how many there are is a matter of destinations,
/// not of messages.
class DueHeap {
 public:
  /// Makes place for one more Due; throws std::bad_alloc, so that set() need not.
  void make_place() {
    heap_.reserve(places_ + 1);
    ++places_;
  }
  void drop_place() noexcept { --places_; }

  void set(Due& due, TimePoint at) noexcept;
  void clear(Due& due) noexcept { set(due, TimePoint::max()); }

  /// The earliest time; max(): nothing is due.
  [[nodiscard]] TimePoint next() const noexcept { return heap_.empty() ? TimePoint::max() : heap_.front()->at_; }

  /// Calls on_due() for whatever is due by `now`, each once at most.
  void run(TimePoint now);

 private:
  void put(std::size_t place, Due* due) noexcept;
  void sift_up(std::size_t place) noexcept;
  void sift_down(std::size_t place) noexcept;
  void remove(Due& due) noexcept;

  std::vector<Due*> heap_;
  std::size_t places_ = 0;
};

}  // namespace action_triggers::detail
