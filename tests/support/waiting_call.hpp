// SPDX-License-Identifier: MIT
/// A call on a thread of its own, of which a test can tell whether it waits.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <utility>

namespace action_triggers::tests {

class WaitingCall {
 public:
  /// `call` must not wait for anything but what the test is about.
  explicit WaitingCall(std::function<void()> call)
      : thread_([this, call = std::move(call)] {
          id_ = static_cast<pid_t>(::syscall(SYS_gettid));
          call();
          returned_ = true;
        }) {}
  ~WaitingCall() { join(); }
  WaitingCall(const WaitingCall&) = delete;
  WaitingCall& operator=(const WaitingCall&) = delete;

  /// Watches the thread until it sleeps inside of the call. False: the call returned, or nothing came of it in a
  /// minute.
  [[nodiscard]] bool waits() const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    // A mutex may make it sleep for a moment, too: believe what is seen again and again.
    for (int seen = 0; !returned_ && std::chrono::steady_clock::now() < end; std::this_thread::yield()) {
      seen = sleeps() ? seen + 1 : 0;
      if (seen == 20) return !returned_;
    }
    return false;
  }

  [[nodiscard]] bool returned() const { return returned_; }
  /// Waits for that. False: a minute was not enough.
  [[nodiscard]] bool returns() const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!returned_ && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return returned_;
  }

  void join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  /// State S in /proc (proc(5)).
  [[nodiscard]] bool sleeps() const {
    if (id_ == 0) return false;
    std::ifstream status("/proc/self/task/" + std::to_string(id_) + "/stat");
    const std::string text{std::istreambuf_iterator<char>(status), {}};
    const auto name_ends = text.rfind(')');
    return name_ends != std::string::npos && text.compare(name_ends, 3, ") S") == 0;
  }

  std::atomic<pid_t> id_{0};
  std::atomic<bool> returned_{false};
  std::thread thread_;  // last: it uses the others
};

}  // namespace action_triggers::tests
