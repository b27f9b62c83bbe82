// SPDX-License-Identifier: MIT
/// What is true in a simulation of relays, and the promises that are held against it: what was committed arrives at
/// each of its targets, in order, what was not never does, and copies have a reason.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "action_triggers/clock.hpp"

namespace action_triggers::tests {

using Targets = std::vector<std::uint32_t>;  // destinations, by bit

struct LedgerRow {
  std::string target;
  std::string key;
  TimePoint taken{};  // its id
  std::optional<TimePoint> committed;
  std::set<std::uint32_t> bad_for;  // dead at these destinations
  bool is_poison = false;           // kills the process that sends it
  bool is_whole_dead = false;       // in the dead letters, for all its targets
  bool is_removed = false;          // by hand
  unsigned deaths = 0;              // of processes that had it in flight

  struct AtTarget {
    unsigned arrivals = 0;
    unsigned excuses = 0;   // for further copies
    bool is_told = false;   // some relay knows that it arrived
    bool is_dead = false;   // in the dead letters
    bool was_dead = false;  // its place in the order is lost
  };
  std::map<std::uint32_t, AtTarget> at;
};

class Ledger {
 public:
  explicit Ledger(std::function<void(const std::string&)> violation) : violation_(std::move(violation)) {}

  std::map<std::int64_t, LedgerRow> rows;
  /// Of each version of the configuration: the targets of each name.
  std::vector<std::map<std::string, Targets>> versions;
  /// Not negative: nothing is wrong, and a row has to arrive that soon after its commit.
  std::chrono::milliseconds most_delay{-1};
  std::uint64_t copies = 0;

  void arrived(std::int64_t id, std::uint32_t destination, TimePoint now);
  void removed(std::int64_t id);
  void buried(std::int64_t id, const std::string& status, const std::optional<std::uint32_t>& destination,
              bool is_whole);
  void excuse(std::int64_t id, std::uint32_t destination) { ++rows[id].at[destination].excuses; }
  void excuse_all(std::int64_t id);
  /// Nothing happens any more.
  void check_end();

  static std::string name(std::int64_t id, std::uint32_t destination) {
    return std::to_string(id) + " at " + std::to_string(destination);
  }

 private:
  bool has_all(const LedgerRow& row, bool as_told) const;
  void check_order(std::int64_t id, const LedgerRow& row, std::uint32_t destination);

  std::function<void(const std::string&)> violation_;
  // When the youngest id was taken of what has arrived, by destination and key.
  std::map<std::pair<std::uint32_t, std::string>, TimePoint> youngest_;
};

}  // namespace action_triggers::tests
