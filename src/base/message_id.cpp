// SPDX-License-Identifier: MIT
#include "base/message_id.hpp"

#include <ctime>
#include <system_error>

#include "base/random_seed.hpp"

namespace action_triggers::detail {
namespace {

/// A system without random numbers is no reason to lose a message.
std::uint64_t random_seed_or_time() noexcept {
  try {
    return random_seed();
  } catch (const std::system_error&) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec) +
           reinterpret_cast<std::uintptr_t>(&thread_ids);
  }
}

}  // namespace

constinit thread_local ThreadIds thread_ids;

std::uint64_t coarse_unix_ms() noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000U + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000U;
}

void ThreadIds::seed() noexcept {
  generator = MessageIdGenerator(random_seed_or_time());
  made_in = fork_generation() + 1;
}

}  // namespace action_triggers::detail
