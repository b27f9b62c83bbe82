// SPDX-License-Identifier: MIT
/// How long the callbacks of one turn have run. While they are quick, the clock is read for every eighth of them only:
/// reading it takes as long as a callback that does next to nothing.
#pragma once

#include <chrono>
#include <functional>

#include "action_triggers/clock.hpp"

namespace action_triggers::detail {

class CallbackTime {
 public:
  /// `clock` outlives this.
  explicit CallbackTime(const std::function<TimePoint()>& clock) : clock_(clock) {}

  /// A callback is about to run.
  void begins() {
    if (began_ == TimePoint::max()) began_ = looked_at_ = clock_();
  }
  /// A callback has run. True: they had their time.
  [[nodiscard]] bool is_up() {
    if (--unlooked_ > 0) return false;
    const TimePoint now = clock_();
    unlooked_ = now - looked_at_ < quick ? most_unlooked : 1;
    looked_at_ = now;
    return now - began_ >= most_of_a_turn;
  }

 private:
  static constexpr std::chrono::milliseconds most_of_a_turn{10};
  static constexpr std::chrono::microseconds quick{100};
  static constexpr int most_unlooked = 8;

  const std::function<TimePoint()>& clock_;
  TimePoint began_ = TimePoint::max();
  TimePoint looked_at_ = TimePoint::max();
  int unlooked_ = 1;  // callbacks until the clock is read again
};

}  // namespace action_triggers::detail
