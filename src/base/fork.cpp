// SPDX-License-Identifier: MIT
#include "base/fork.hpp"

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <system_error>

namespace action_triggers::detail {
namespace {

std::atomic<std::uint32_t> generation{0};

void count_fork() { generation.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

std::uint32_t fork_generation() noexcept { return generation.load(std::memory_order_relaxed); }

void watch_forks() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (const int error = pthread_atfork(nullptr, nullptr, count_fork); error != 0) {
      throw std::system_error(error, std::generic_category(), "pthread_atfork");
    }
  });
}

}  // namespace action_triggers::detail
