// SPDX-License-Identifier: MIT
/// Frees a thread that rabbitmq-c holds in a write.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "base/thread.hpp"

namespace action_triggers::detail {

/// rabbitmq-c's writes have no time limit: a peer that stops reading would hold the writer for ever. While armed, the
/// watchdog shuts the socket down when the peer has taken nothing for `patience`; the write then fails.
class Watchdog {
 public:
  explicit Watchdog(std::chrono::milliseconds patience) : patience_(patience) {}
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void arm(int fd);
  void disarm();

 private:
  using Clock = std::chrono::steady_clock;
  void run();

  const std::chrono::milliseconds patience_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int fd_ = -1;  // armed
  std::uint64_t taken_ = 0;
  Clock::time_point deadline_;
  bool used_ = false;  // armed since the thread last looked
  bool idle_ = true;   // the thread waits to be armed: it is not woken for every write
  bool stop_ = false;
  Thread thread_;  // started by the first arm()
};

}  // namespace action_triggers::detail
