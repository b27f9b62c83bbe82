// SPDX-License-Identifier: MIT
#include "base/wake_fd.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace action_triggers::detail {
namespace {

int make_event_fd() {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  return fd;
}

}  // namespace

WakeFd::WakeFd() : fd_(make_event_fd()) {}

WakeFd::~WakeFd() { ::close(fd_); }

void WakeFd::wake() const noexcept {
  const std::uint64_t one = 1;
  // Fails only when the counter is at its maximum: then the descriptor is readable anyway.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

void WakeFd::clear() const noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto taken = ::read(fd_, &count, sizeof count);  // fails if there was no wake-up
}

}  // namespace action_triggers::detail
