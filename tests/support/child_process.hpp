// SPDX-License-Identifier: MIT
/// Runs what may crash or hang in a child process, so that the test program survives it.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <iostream>
#include <string>

namespace action_triggers::tests {

/// An expectation in a child, where GoogleTest's would be lost.
#define ACTION_TRIGGERS_CHILD_EXPECT(condition)                                               \
  do {                                                                                        \
    if (!(condition)) {                                                                       \
      std::cerr << __FILE__ << ":" << __LINE__ << ": in the child: " #condition << std::endl; \
      _exit(1);                                                                               \
    }                                                                                         \
  } while (false)

/// Runs `body` in a child of fork(), which ends without destructors. "" if it returned within `limit`, otherwise what
/// became of it.
template <class Body>
std::string trouble_in_child(Body&& body, std::chrono::seconds limit = std::chrono::seconds(60)) {
  std::cout.flush();
  const pid_t child = ::fork();
  if (child < 0) return "fork failed";
  if (child == 0) {
    ::alarm(static_cast<unsigned>(limit.count()));
    try {
      body();
    } catch (const std::exception& error) {
      std::cerr << "in the child: " << error.what() << std::endl;
      _exit(2);
    }
    _exit(0);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return "waitpid failed";
  if (WIFSIGNALED(status)) {
    if (WTERMSIG(status) == SIGALRM) return "hung for " + std::to_string(limit.count()) + " s";
    return "died of signal " + std::to_string(WTERMSIG(status));
  }
  return WEXITSTATUS(status) == 0 ? "" : "exited with " + std::to_string(WEXITSTATUS(status));
}

}  // namespace action_triggers::tests
