// SPDX-License-Identifier: MIT
#include "base/fork.hpp"

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <system_error>

#include "base/readers.hpp"

namespace action_triggers::detail {

constinit std::atomic<std::uint32_t> forks_seen{0};

namespace {

void count_fork() {
  forks_seen.fetch_add(1, std::memory_order_relaxed);
  forget_readers_of_parent();
}

}  // namespace

void watch_forks() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (const int error = pthread_atfork(nullptr, nullptr, count_fork); error != 0) {
      throw std::system_error(error, std::generic_category(), "pthread_atfork");
    }
  });
}

}  // namespace action_triggers::detail
