// SPDX-License-Identifier: MIT
/// Keeps what was fired and what was reported in a fault test, and has the oracle hold it against what the broker has.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "action_triggers/trigger_dispatcher.hpp"
#include "faults/oracle.hpp"
#include "live/servers.hpp"

namespace action_triggers::tests {

class Ledger {
 public:
  using Clock = std::chrono::steady_clock;

  struct Shape {
    std::size_t bytes = 256;
    bool keyed = true;      ///< With one of a few keys.
    bool guilty = false;    ///< The broker takes no such message.
    bool as_event = false;  ///< Emitted as the event `name`, which a trigger sends to the destination `name`.
  };
  /// Fires the next message at `name`: a unique id, a body that says which it is. Callable from any thread.
  void fire(TriggerDispatcher& dispatcher, const std::string& name, const Shape& shape);
  void fire(TriggerDispatcher& dispatcher, const std::string& name) { fire(dispatcher, name, Shape()); }

  /// Those messages that this ledger has fired.
  [[nodiscard]] std::vector<Received> own(const std::vector<Received>& received) const;

  /// Waits until a message of any ledger is reported, at most so long.
  static void wait_for_a_report(std::chrono::milliseconds at_most);

  [[nodiscard]] std::uint64_t fired() const;
  [[nodiscard]] std::uint64_t reported() const;
  [[nodiscard]] std::uint64_t count(StatusCode code) const;
  /// Messages that were fired after `moment` and reported ok.
  [[nodiscard]] std::uint64_t ok_fired_after(Clock::time_point moment) const;
  /// From `moment` to the first ok report after it; zero if there is none.
  [[nodiscard]] std::chrono::milliseconds recovery_since(Clock::time_point moment) const;

  /// Every complaint of the oracle is a failure of the test. Adds a row to the reliability table. The number of
  /// duplicates.
  std::size_t check(const std::string& broker, const std::string& fault, const std::vector<Received>& received,
                    const Rules& rules, Clock::time_point healed);

 private:
  const std::string run_ = unique("ledger");
  mutable std::mutex mutex_;
  std::vector<Fired> entries_;  // in the order of their fired_at
  // Counted as they come: a test asks at every report, and what holds the mutex holds up the lane.
  std::uint64_t reported_ = 0;
  std::map<StatusCode, std::uint64_t> by_code_;
  // Of the moment that was asked for last: where what was fired after it begins, and how many of that are ok.
  mutable Clock::time_point asked_ = Clock::time_point::max();
  mutable std::size_t asked_begin_ = 0;
  mutable std::uint64_t asked_ok_ = 0;
  std::chrono::nanoseconds longest_fire_{0};
};

}  // namespace action_triggers::tests
