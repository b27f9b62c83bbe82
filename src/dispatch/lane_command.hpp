// SPDX-License-Identifier: MIT
/// What a lane's queue carries beside messages: something to do on the lane's thread, in its place among them.
#pragma once

#include "dispatch/mpsc_queue.hpp"

namespace action_triggers::detail {

class LaneCore;

class LaneCommand : public QueueNode {
 public:
  LaneCommand() { is_command = true; }
  LaneCommand(const LaneCommand&) = delete;
  LaneCommand& operator=(const LaneCommand&) = delete;
  virtual ~LaneCommand() = default;

  /// On the lane's thread. Owns itself: may delete this.
  virtual void run(LaneCore& core) noexcept = 0;
  /// Instead, if the lane has ended before its turn came. May delete this.
  virtual void lane_ended() noexcept = 0;
};

}  // namespace action_triggers::detail
