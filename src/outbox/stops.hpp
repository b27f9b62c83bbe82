// SPDX-License-Identifier: MIT
/// What a destination does not send because a message of it is dead and `on_dead` says to stop: all of its rows, or
/// those of some keys. The dead row stays in the table, so the next owner of the shard finds it and stops as well. It
/// is tried again once a minute, alone: if it arrives, or somebody has removed it, what waits behind it goes on.
///
/// A new owner does not know which row is dead. So it takes the first one of each key, or of all, for dead until it has
/// arrived: it is on trial, and what is behind it waits.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "action_triggers/clock.hpp"
#include "outbox/outbox_row.hpp"

namespace action_triggers::detail {

class Stops {
 public:
  static constexpr std::chrono::seconds retry_pause{60};
  static constexpr std::size_t most_keys = 1'024;
  static constexpr std::size_t most_key_bytes = 1U << 20;
  static constexpr std::size_t most_tried = 65'536;  // keys; then they are tried anew

  void stop_all(std::int64_t dead_row, TimePoint now);
  /// False: there are too many, stop all.
  [[nodiscard]] bool stop_key(const std::string& key, std::int64_t dead_row, TimePoint now);

  /// Puts a row on trial that is being sent, unless all, or its key, was tried before. True: all wait for it.
  [[nodiscard]] bool try_all(std::int64_t row, TimePoint now);
  void try_key(const std::string& key, std::int64_t row, TimePoint now);
  /// It was not sent, and is no first row any more.
  void end_trial(std::int64_t row);

  /// It waits, or is itself one that others wait for.
  [[nodiscard]] bool holds(const OutboxRow& row);
  [[nodiscard]] bool holds_all() const { return all_.has_value(); }
  /// Others wait for this row.
  [[nodiscard]] bool is_dead(std::int64_t row) const;
  [[nodiscard]] bool empty() const { return !all_ && keys_.empty(); }
  /// Of those that are not on trial.
  [[nodiscard]] bool has_dead() const;
  [[nodiscard]] std::size_t keys() const { return keys_.size(); }
  [[nodiscard]] std::optional<std::int64_t> lowest() const;

  /// The rows to try again, ascending; asked again only after another minute.
  std::vector<std::int64_t> due(TimePoint now, std::size_t limit);
  [[nodiscard]] TimePoint next_due() const;
  /// The next due() asks for all.
  void retry_all(TimePoint now);
  /// It has arrived, or is gone. True: rows have waited for it.
  bool resume(std::int64_t dead_row);
  void clear();

 private:
  struct Stop {
    std::int64_t dead_row = 0;
    TimePoint retry_at;
    bool is_trial = false;
    bool has_waiting = true;  // on trial: not before one has come
  };
  std::map<std::string, Stop>::iterator erase(std::map<std::string, Stop>::iterator stop);

  std::optional<Stop> all_;
  std::map<std::string, Stop> keys_;
  std::size_t key_bytes_ = 0;
  bool is_tried_ = false;                  // all
  std::unordered_set<std::size_t> tried_;  // hashes of keys
};

}  // namespace action_triggers::detail
