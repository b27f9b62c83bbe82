// SPDX-License-Identifier: MIT
/// `action-triggers relay FILE`, the command itself, in a process that a test starts, hurts and ends.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace action_triggers::tests {

class RelayProcess {
 public:
  /// Starts it. What it prints is appended to the file `log`. `environment`: NAME=VALUE, beside the test's own.
  RelayProcess(std::string file, std::string log, std::vector<std::string> environment = {});
  /// Kills it, if it runs.
  ~RelayProcess();
  RelayProcess(const RelayProcess&) = delete;
  RelayProcess& operator=(const RelayProcess&) = delete;

  /// After kill_it() or end_it().
  void start();
  /// As systemd does by our unit: starts it again if it has failed, which it does if its database is away at its start.
  /// Throws if it has ended otherwise.
  void supervise();
  /// kill -9.
  void kill_it();
  /// SIGSTOP; it goes on with `resume()`.
  void pause();
  void resume();
  /// SIGTERM, and waits until it has ended; kills it after a minute. "" if it ended with success.
  std::string end_it();

  [[nodiscard]] bool is_running() const { return pid_ > 0; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// All that it has printed.
  [[nodiscard]] std::string printed() const;
  /// What it has in memory now.
  [[nodiscard]] std::size_t resident_bytes() const;

 private:
  void signal(int number) const;
  bool has_failed();

  const std::string file_;
  const std::string log_;
  const std::vector<std::string> environment_;
  pid_t pid_ = 0;
};

}  // namespace action_triggers::tests
