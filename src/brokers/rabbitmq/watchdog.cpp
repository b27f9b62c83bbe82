// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/watchdog.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace action_triggers::detail {
namespace {

/// How many bytes the peer has acknowledged so far.
std::uint64_t bytes_taken(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_acked : 0;
}

}  // namespace

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Watchdog::arm(int fd) {
  const std::lock_guard lock(mutex_);
  fd_ = fd;
  used_ = true;
  taken_ = 0;
  deadline_ = Clock::now() + patience_;
  if (!thread_.joinable()) thread_ = Thread("at-watchdog", [this] { run(); });
  if (idle_) changed_.notify_all();
}

void Watchdog::disarm() {
  const std::lock_guard lock(mutex_);
  fd_ = -1;
}

void Watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (fd_ < 0 && used_) {  // soon again, probably
      used_ = false;
      changed_.wait_for(lock, patience_, [&] { return stop_; });
    } else if (fd_ < 0) {
      idle_ = true;
      changed_.wait(lock, [&] { return stop_ || fd_ >= 0; });
      idle_ = false;
    } else if (Clock::now() < deadline_) {
      changed_.wait_until(lock, deadline_, [&] { return stop_; });
    } else if (const std::uint64_t taken = bytes_taken(fd_); taken > taken_) {
      taken_ = taken;  // slow, but alive
      deadline_ = Clock::now() + patience_;
    } else {
      ::shutdown(fd_, SHUT_RDWR);
      fd_ = -1;
    }
  }
}

}  // namespace action_triggers::detail
