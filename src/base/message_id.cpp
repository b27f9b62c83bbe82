// SPDX-License-Identifier: MIT
#include "base/message_id.hpp"

#include <ctime>
#include <system_error>

#include "base/fork.hpp"
#include "base/random_seed.hpp"

namespace action_triggers::detail {
namespace {

struct ThreadGenerator {
  MessageIdGenerator ids{0};
  std::uint32_t made_in = 0;  // 1 + fork_generation() of the process that seeded it; 0: not seeded yet
};

// Without a constructor that runs and without a destructor: a thread may make ids until its last moment.
constinit thread_local ThreadGenerator generator;

/// A system without random numbers is no reason to lose a message.
std::uint64_t seed() noexcept {
  try {
    return random_seed();
  } catch (const std::system_error&) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec) +
           reinterpret_cast<std::uintptr_t>(&generator);
  }
}

}  // namespace

std::uint64_t coarse_unix_ms() noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000U + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000U;
}

MessageId next_message_id(std::uint64_t unix_ms) noexcept {
  if (const std::uint32_t process = fork_generation() + 1; generator.made_in != process) [[unlikely]] {
    generator.ids = MessageIdGenerator(seed());
    generator.made_in = process;
  }
  return generator.ids.next(unix_ms);
}

}  // namespace action_triggers::detail
