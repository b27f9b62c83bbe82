// SPDX-License-Identifier: MIT
/// Whether this process is a child that was forked since.
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
