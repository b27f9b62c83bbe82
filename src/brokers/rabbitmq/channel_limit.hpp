// SPDX-License-Identifier: MIT
/// How many channels a connection may have. A limit of the user's (max-channels) is not negotiated, and it counts the
/// user's other connections as well: the broker says so by closing the connection, which then comes back with fewer.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

#include "action_triggers/clock.hpp"

namespace action_triggers::detail {

class ChannelLimit {
 public:
  /// One to declare on, one to publish on.
  static constexpr std::uint16_t least = 2;
  /// A connection made later may try again how many it gets.
  static constexpr std::chrono::minutes holds_for{10};

  /// The connection is a new one, and `negotiated` is its channel_max. Returns how many channels it may use.
  [[nodiscard]] std::uint16_t begin(std::uint16_t negotiated, TimePoint now) {
    if (now >= forget_at_) learned_ = std::numeric_limits<std::uint16_t>::max();
    open_ = 0;
    return std::min(negotiated, learned_);
  }
  /// The broker has confirmed that a channel is open; one is closed.
  void opened() noexcept { ++open_; }
  void closed() noexcept { --open_; }
  /// The broker allows no more than are open. Returns how many the next connection uses.
  std::uint16_t refused(TimePoint now) {
    const std::uint16_t fewer = learned_ > least ? learned_ - 1 : least;
    learned_ = std::clamp(open_, least, fewer);
    forget_at_ = now + holds_for;
    return learned_;
  }

 private:
  std::uint16_t open_ = 0;
  std::uint16_t learned_ = std::numeric_limits<std::uint16_t>::max();
  TimePoint forget_at_ = TimePoint::max();
};

}  // namespace action_triggers::detail
