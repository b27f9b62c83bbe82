// SPDX-License-Identifier: MIT
#include "support/scarce_threads.hpp"

#include <dlfcn.h>
#include <threads.h>

#include <cerrno>
#include <mutex>

namespace action_triggers::tests {
namespace {

std::mutex mutex;
int possible_left = 0;  // under mutex
int impossible_left = 0;

}  // namespace

void make_threads_scarce(int possible, int impossible) {
  const std::lock_guard lock(mutex);
  possible_left = possible;
  impossible_left = impossible;
}

}  // namespace action_triggers::tests

/// Stands before the C library's.
extern "C" int thrd_create(thrd_t* thread, thrd_start_t function, void* argument) {
  using namespace action_triggers::tests;
  {
    const std::lock_guard lock(mutex);
    if (possible_left > 0) {
      --possible_left;
    } else if (impossible_left > 0) {
      --impossible_left;
      errno = EAGAIN;
      return thrd_error;
    }
  }
  static const auto real = reinterpret_cast<decltype(&thrd_create)>(::dlsym(RTLD_NEXT, "thrd_create"));
  return real(thread, function, argument);
}
