// SPDX-License-Identifier: MIT
#include "base/wake_fd.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

namespace action_triggers::detail {
namespace {

bool is_readable(const WakeFd& wake, int timeout_ms = 0) {
  pollfd descriptor{.fd = wake.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&descriptor, 1, timeout_ms) == 1;
}

TEST(WakeFdTest, IsReadableFromTheFirstWakeUntilItIsCleared) {
  const WakeFd wake;
  EXPECT_FALSE(is_readable(wake));
  wake.wake();
  wake.wake();
  EXPECT_TRUE(is_readable(wake));
  wake.clear();
  EXPECT_FALSE(is_readable(wake));
  wake.clear();  // without a wake-up; must not block
  wake.wake();
  EXPECT_TRUE(is_readable(wake));
}

TEST(WakeFdTest, AnotherThreadEndsAPoll) {
  const WakeFd wake;
  std::thread waker([&] { wake.wake(); });
  EXPECT_TRUE(is_readable(wake, 10'000));
  waker.join();
}

}  // namespace
}  // namespace action_triggers::detail
