// SPDX-License-Identifier: MIT
/// Whether this process is a child that was forked since.
#pragma once

#include <cstdint>

namespace action_triggers::detail {

/// Changes in a child of fork(): what was made with another value has lost its threads. Costs a load.
[[nodiscard]] std::uint32_t fork_generation() noexcept;

/// From now on forks are noticed. Idempotent.
void watch_forks();

}  // namespace action_triggers::detail
