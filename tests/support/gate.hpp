// SPDX-License-Identifier: MIT
/// A door that one thread opens and others wait for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace action_triggers::tests {

class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

  /// False: it was not opened within `patience`.
  bool wait(std::chrono::seconds patience = std::chrono::seconds(60)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

}  // namespace action_triggers::tests
