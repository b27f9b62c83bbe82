// SPDX-License-Identifier: MIT
/// Which flush() waits for which messages: each waits for what the lane admitted before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <new>
#include <utility>

#include "dispatch/lane_command.hpp"

namespace action_triggers::detail {

/// A flush() that waits for everything that was admitted before it.
class FlushBarrier : public LaneCommand {
 public:
  virtual void reached() noexcept = 0;  // may delete this
  void run(LaneCore& core) noexcept override;
  void lane_ended() noexcept override { reached(); }  // everything has its outcome

 private:
  friend class FlushBarriers;
  FlushBarrier* next_ = nullptr;  // of the same group
};

/// Messages form groups, a new one after each barrier. A barrier is reached when its group and all before it are empty.
class FlushBarriers {
 public:
  /// A message is admitted; returns its group. Throws nothing: without memory for a new group the barriers of the last
  /// one wait for this message too.
  std::uint32_t join() noexcept {
    if (groups_.back().barriers != nullptr) {
      try {
        groups_.emplace_back();
        ++newest_;
      } catch (const std::bad_alloc&) {
      }
    }
    ++groups_.back().open;
    return newest_;
  }
  /// A message of this group has been reported.
  void leave(std::uint32_t group) noexcept {
    if (--groups_[group - first_].open == 0) release();
  }
  void add(FlushBarrier& barrier) noexcept {
    barrier.next_ = std::exchange(groups_.back().barriers, &barrier);
    release();
  }

 private:
  struct Group {
    std::size_t open = 0;  // messages without an outcome
    FlushBarrier* barriers = nullptr;
  };

  void release() noexcept {
    while (groups_.front().open == 0) {
      FlushBarrier* barrier = std::exchange(groups_.front().barriers, nullptr);
      while (barrier != nullptr) std::exchange(barrier, barrier->next_)->reached();
      if (groups_.size() == 1) return;
      groups_.pop_front();
      ++first_;
    }
  }

  std::deque<Group> groups_{1};
  std::uint32_t first_ = 0;   // the number of groups_.front()
  std::uint32_t newest_ = 0;  // that of groups_.back()
};

}  // namespace action_triggers::detail
