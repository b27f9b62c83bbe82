// SPDX-License-Identifier: MIT
/// One flush() over all lanes.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

#include "action_triggers/clock.hpp"
#include "dispatch/flush_barriers.hpp"

namespace action_triggers::detail {

/// Counts down as lanes reach their barriers. The barriers own it together.
class FlushProgress {
 public:
  explicit FlushProgress(std::size_t lanes) : lanes_left_(lanes) {}

  void lane_done() {
    const std::lock_guard lock(mutex_);
    if (--lanes_left_ == 0) changed_.notify_all();
  }
  /// False: `deadline` came first.
  bool wait_until(TimePoint deadline) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline, [&] { return lanes_left_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t lanes_left_;
};

/// Owns itself once it is in a lane's queue.
class LaneFlush final : public FlushBarrier {
 public:
  explicit LaneFlush(std::shared_ptr<FlushProgress> progress) : progress_(std::move(progress)) {}
  void reached() noexcept override {
    progress_->lane_done();
    delete this;
  }

 private:
  const std::shared_ptr<FlushProgress> progress_;
};

}  // namespace action_triggers::detail
