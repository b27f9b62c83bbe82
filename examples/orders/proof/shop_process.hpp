// SPDX-License-Identifier: MIT
/// The shop as a process of its own, so that it can be killed.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace proof {

class ShopProcess {
 public:
  /// Starts it. Its log goes to standard error, or to the file that the environment's SHOP_LOG names. Throws
  /// std::runtime_error.
  explicit ShopProcess(const std::string& config);
  ~ShopProcess();  // kills it, if it still runs
  ShopProcess(const ShopProcess&) = delete;
  ShopProcess& operator=(const ShopProcess&) = delete;

  /// Gives it a line to do, and does not wait.
  void tell(const std::string& line);
  /// The answer to the oldest line without one. Nothing: the process has ended.
  std::optional<std::string> answer();
  /// tell(), and the answer. Throws std::runtime_error if the process ends first.
  std::string ask(const std::string& line);

  /// kill -9
  void kill();
  /// No more lines: it sends what is left, and ends. False: it says that it failed.
  bool finish();

 private:
  void close_pipes();
  int wait_for_end();

  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  std::string unread_;  // of its output
};

}  // namespace proof
