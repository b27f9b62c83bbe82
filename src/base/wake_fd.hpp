// SPDX-License-Identifier: MIT
/// How another thread wakes one that sleeps in poll(2): a descriptor that is readable once wake() was called.
#pragma once

namespace action_triggers::detail {

/// Owns an eventfd(2), non-blocking and closed on exec. Several wake-ups before a clear() count as one.
class WakeFd {
 public:
  /// Throws std::system_error if there is no descriptor left.
  WakeFd();
  ~WakeFd();
  WakeFd(const WakeFd&) = delete;
  WakeFd& operator=(const WakeFd&) = delete;

  /// Makes fd() readable. From any thread; never blocks.
  void wake() const noexcept;

  /// Makes fd() not readable until the next wake(). Never blocks.
  void clear() const noexcept;

  /// To poll for POLLIN. Writing eight bytes, a std::uint64_t of 1, to it is the same as wake().
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  const int fd_;
};

}  // namespace action_triggers::detail
