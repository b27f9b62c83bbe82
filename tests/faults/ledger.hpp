// SPDX-License-Identifier: MIT
/// The oracle of every fault test: what was fired, what was reported, and what the broker has in the end.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "action_triggers/trigger_dispatcher.hpp"
#include "live/servers.hpp"

namespace action_triggers::tests {

class Ledger {
 public:
  using Clock = std::chrono::steady_clock;

  /// Fires the next message at `name`: a unique id, a body that says which it is, one of a few keys. Callable from any
  /// thread.
  void fire(TriggerDispatcher& dispatcher, const std::string& name);

  /// Waits until a message of any ledger is reported, at most so long.
  static void wait_for_a_report(std::chrono::milliseconds at_most);

  [[nodiscard]] std::uint64_t fired() const;
  [[nodiscard]] std::uint64_t reported() const;
  [[nodiscard]] std::uint64_t count(StatusCode code) const;
  /// Messages that were fired after `moment` and reported ok.
  [[nodiscard]] std::uint64_t ok_fired_after(Clock::time_point moment) const;
  /// From `moment` to the first ok report after it; zero if there is none.
  [[nodiscard]] std::chrono::milliseconds recovery_since(Clock::time_point moment) const;

  struct Rules {
    /// At most so many duplicates: the in-flight window, for each fault.
    std::size_t most_duplicates = 0;
    /// Statuses other than ok that the fault explains.
    std::vector<StatusCode> explained{};
    /// Order is promised per key (Kafka's partitions) rather than per name.
    bool order_per_key = false;
    /// The order of arrival can be told from what was read back. Not where the broker itself put messages back.
    bool check_order = true;
  };
  /// Holds all of it against what the broker has. Adds a row to the reliability table. The number of duplicates.
  std::size_t check(const std::string& broker, const std::string& fault, const std::vector<Received>& received,
                    const Rules& rules, Clock::time_point healed);

 private:
  struct Entry {
    std::string name;
    Clock::time_point fired_at;
    Clock::time_point reported_at;
    int reports = 0;
    StatusCode code = StatusCode::internal;
    Persistence persistence = Persistence::not_persisted;
    std::string text;
    std::int32_t partition = -1;  // Kafka
    std::int64_t offset = -1;
  };

  static constexpr std::size_t keys = 7;
  [[nodiscard]] std::string id_of(std::size_t index) const { return run_ + "-" + std::to_string(index); }
  static std::string body_of(std::size_t index);

  const std::string run_ = unique("ledger");
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  std::chrono::nanoseconds longest_fire_{0};
};

}  // namespace action_triggers::tests
