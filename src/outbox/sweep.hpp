// SPDX-License-Identifier: MIT
/// The slow reading of all rows from the lowest id on: it finds whatever the others have missed. Once after each
/// takeover, and then in the background, for at most a twentieth of the time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

#include "action_triggers/clock.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {

class Sweep {
 public:
  static constexpr std::chrono::seconds pause{60};  // after it came to its end
  static constexpr int share = 20;                  // of the time: one part in so many

  /// From the lowest id on to `last`, from now on.
  void begin(std::int64_t last, TimePoint now) {
    next_ = std::numeric_limits<std::int64_t>::min();
    last_ = last;
    due_ = now;
    is_running_ = true;
  }

  [[nodiscard]] TimePoint next_due() const { return due_; }
  /// What to read now; `position`: where the common reading is, if this one has to begin again.
  IdRange next(std::int64_t position, TimePoint now) {
    if (!is_running_) begin(position, now);
    return {next_, last_};
  }

  /// The answer to next(), which was asked for at `asked`.
  void read(const ReadResult& result, TimePoint asked, TimePoint now) {
    const bool is_over = result.is_complete || result.rows.empty() || result.rows.back().id >= last_;
    if (is_over) {
      is_running_ = false;
    } else {
      next_ = result.rows.back().id + 1;
    }
    due_ =
        now + std::max<Clock::duration>((now - asked) * (share - 1), is_over ? pause : std::chrono::milliseconds(10));
  }

 private:
  std::int64_t next_ = 0;
  std::int64_t last_ = 0;
  TimePoint due_ = TimePoint::max();
  bool is_running_ = false;
};

}  // namespace action_triggers::detail
