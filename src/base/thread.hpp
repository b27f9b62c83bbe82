// SPDX-License-Identifier: MIT
/// A named thread with a stack of its own size.
#pragma once

#include <functional>
#include <string>

namespace action_triggers::detail {

/// std::thread leaves the stack to the system's default. rabbitmq-c decodes nested tables recursively, which overflows
/// small stacks (musl, `ulimit -s`), so every thread of ours says how much it needs.
class Thread {
 public:
  Thread() = default;
  /// The name is cut to the system's 15 characters. Throws std::system_error.
  Thread(const std::string& name, std::function<void()> body);
  Thread(Thread&& other) noexcept;
  Thread& operator=(Thread&& other) noexcept;
  ~Thread();  ///< joins

  void join();
  void detach();
  [[nodiscard]] bool joinable() const noexcept { return running_; }
  [[nodiscard]] bool is_current() const noexcept;

 private:
  unsigned long handle_ = 0;  // pthread_t on Linux, without its header
  bool running_ = false;
};

}  // namespace action_triggers::detail
