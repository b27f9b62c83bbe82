// SPDX-License-Identifier: MIT
/// A program in a process of its own, which is killed at the latest when its object goes.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace action_triggers::tests {

/// What wait() says of a program that SIGKILL has ended.
inline constexpr int killed = 128 + 9;

class ChildProgram {
 public:
  /// `environment`: in addition to this process's. `output`: a file that gets what the program prints, after what it
  /// has already. Throws if it cannot be started.
  ChildProgram(std::vector<std::string> command, const std::map<std::string, std::string>& environment,
               const std::string& output);
  ~ChildProgram();
  ChildProgram(const ChildProgram&) = delete;
  ChildProgram& operator=(const ChildProgram&) = delete;

  void signal(int number) const;
  /// Its exit status, or 128 and the signal that ended it.
  int wait();
  /// Whether it has not ended yet.
  [[nodiscard]] bool is_running();

 private:
  void ended(int status);

  pid_t id_ = 0;
  int status_ = -1;  // -1: it has not ended, as far as anybody knows
};

/// All of a file; nothing if there is none.
std::string content_of(const std::string& path);
std::vector<std::string> lines_of(const std::string& path);

}  // namespace action_triggers::tests
