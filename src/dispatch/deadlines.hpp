// SPDX-License-Identifier: MIT
/// The deadlines of a lane's messages.
///
/// Messages with the same timeout are due in the order in which the lane admitted them, so each timeout has one list
/// and only the lists stand in the heap: admitting and resolving a message links and unlinks it, and no more.
#pragma once

#include <chrono>
#include <functional>
#include <list>

#include "dispatch/due_heap.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

/// Messages with one timeout, the earliest deadline first.
class DeadlineList final : public Due {
 public:
  DeadlineList(std::chrono::nanoseconds timeout, DueHeap& heap, const std::function<void(Record&)>& expire)
      : timeout_(timeout), heap_(heap), expire_(expire) {}

  [[nodiscard]] std::chrono::nanoseconds timeout() const noexcept { return timeout_; }

  /// Sets the record's deadline, counted from `now`, and watches it.
  void add(Record& record, TimePoint now) noexcept {
    record.queued.deadline = now + timeout_;
    record.queued.due_before = last_;
    record.queued.due_after = nullptr;
    (last_ != nullptr ? last_->queued.due_after : first_) = &record;
    last_ = &record;
    if (!is_set()) heap_.set(*this, record.queued.deadline);
  }
  /// The heap may then have a time that is too early; on_due() looks for itself.
  void remove(Record& record) noexcept {
    (record.queued.due_before != nullptr ? record.queued.due_before->queued.due_after : first_) =
        record.queued.due_after;
    (record.queued.due_after != nullptr ? record.queued.due_after->queued.due_before : last_) =
        record.queued.due_before;
  }

  /// Corrects a time that is too early, so that the lane is not woken for nothing.
  void refresh() noexcept { heap_.set(*this, first_ == nullptr ? TimePoint::max() : first_->queued.deadline); }

  std::size_t destinations = 0;  // that use it

 private:
  void on_due(TimePoint now) override {
    while (first_ != nullptr && first_->queued.deadline <= now) expire_(*first_);  // which removes it
    refresh();
  }

  const std::chrono::nanoseconds timeout_;
  DueHeap& heap_;
  const std::function<void(Record&)>& expire_;
  Record* first_ = nullptr;
  Record* last_ = nullptr;
};

/// The lists of one lane.
class Deadlines {
 public:
  /// `expire` must remove the record from its list.
  Deadlines(DueHeap& heap, std::function<void(Record&)> expire) : heap_(heap), expire_(std::move(expire)) {}

  /// The list for this timeout; give it back with release(). Throws std::bad_alloc.
  DeadlineList& acquire(std::chrono::nanoseconds timeout) {
    for (DeadlineList& list : lists_) {
      if (list.timeout() == timeout) {
        ++list.destinations;
        return list;
      }
    }
    DeadlineList& list = lists_.emplace_back(timeout, heap_, expire_);
    try {
      heap_.make_place();
    } catch (...) {
      lists_.pop_back();
      throw;
    }
    ++list.destinations;
    return list;
  }
  /// No message is in it for the destination that had it.
  void release(DeadlineList& list) noexcept {
    if (--list.destinations > 0) return;
    heap_.clear(list);
    heap_.drop_place();
    lists_.remove_if([&](const DeadlineList& one) { return &one == &list; });
  }

  /// Before the lane asks how long it may sleep.
  void refresh() noexcept {
    for (DeadlineList& list : lists_) list.refresh();
  }

 private:
  DueHeap& heap_;
  const std::function<void(Record&)> expire_;
  std::list<DeadlineList> lists_;  // a few
};

}  // namespace action_triggers::detail
