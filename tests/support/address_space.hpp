// SPDX-License-Identifier: MIT
/// Makes pthread_create() fail: there is no address space for a stack. In a child process only, see child_process.hpp.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

namespace action_triggers::tests {

/// Not under a sanitizer, nor under valgrind: they take address space as they go.
inline bool address_space_can_be_limited() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  return true;
#endif
}

/// For a thread with a stack of 16 MiB. glibc keeps stacks of ended threads, so that a few more may start.
inline void limit_address_space_to_one_more_stack() {
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit limit{};
  ::getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + (rlim_t{24} << 20U);
  if (::setrlimit(RLIMIT_AS, &limit) != 0) throw std::runtime_error("setrlimit");
}

}  // namespace action_triggers::tests
