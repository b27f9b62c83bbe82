// SPDX-License-Identifier: MIT
/// Whether the calling thread is a lane's, where waiting for a lane could never end.
#pragma once

namespace action_triggers::detail {

/// Set by each lane on its own thread.
inline thread_local bool on_lane_thread = false;

/// Throws std::logic_error on a lane's thread: `what` may not wait there.
void refuse_on_lane_thread(const char* what);

}  // namespace action_triggers::detail
