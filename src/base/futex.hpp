// SPDX-License-Identifier: MIT
/// Waiting for one 32-bit word to change, with the kernel's futex: no mutex, nothing to construct, and nothing that a
/// fork() in the middle of a wait can leave locked in the child.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace action_triggers::detail {

/// Sleeps while `word` is `value`, until wake_all() or `deadline` (time_point::max(): none). May return early: look
/// again.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                std::chrono::steady_clock::time_point deadline) noexcept;

/// Wakes every thread that sleeps on `word`. Does not read it: its memory may be gone already.
void futex_wake_all(const std::atomic<std::uint32_t>& word) noexcept;

}  // namespace action_triggers::detail
