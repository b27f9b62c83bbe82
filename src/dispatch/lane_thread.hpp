// SPDX-License-Identifier: MIT
/// Whose lane the calling thread is. On a dispatcher's own lane, waiting for that dispatcher could never end.
#pragma once

namespace action_triggers::detail {

class Callbacks;

/// The calling thread is a lane from now on, of the dispatcher with these callbacks.
void become_lane_thread_of(const Callbacks& dispatcher) noexcept;

/// False in a child of fork(): its copy of the thread is no lane.
[[nodiscard]] bool on_lane_thread_of(const Callbacks& dispatcher) noexcept;

/// Throws std::logic_error inside fire() or emit(), in a function for events or a callback: `what` may wait for a
/// message there that waits for a reload, which waits for the fire.
void refuse_inside_fire(const char* what);

/// Throws std::logic_error on a lane's thread of this dispatcher: `what` may not wait there.
void refuse_on_lane_thread_of(const Callbacks& dispatcher, const char* what);

}  // namespace action_triggers::detail
