// SPDX-License-Identifier: MIT
/// Whether this process is a child that was forked since: a handler of pthread_atfork() counts forks in the child, and
/// what must not be used there remembers the count that it was made with.
///
/// Who asks: Dispatcher::is_in_child(), before anything that needs the lanes; KafkaProducer::is_ours(), since a broker
/// may be used without a dispatcher; on_lane_thread_of(), since a child's thread is no lane; and next_message_id(), so
/// that a child makes other ids than its parent.
#pragma once

#include <atomic>
#include <cstdint>

namespace action_triggers::detail {

extern std::atomic<std::uint32_t> forks_seen;  // counts up in each child

/// Changes in a child of fork(): what was made with another value has lost its threads. Costs a load.
inline std::uint32_t fork_generation() noexcept { return forks_seen.load(std::memory_order_relaxed); }

/// From now on forks are noticed. Idempotent.
void watch_forks();

}  // namespace action_triggers::detail
