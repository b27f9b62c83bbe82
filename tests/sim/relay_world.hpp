// SPDX-License-Identifier: MIT
/// What the processes of a simulation of relays share: time, choices, what happens when, the database, the brokers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "outbox/relay_outlet.hpp"
#include "sim/relay_database.hpp"
#include "sim/relay_ledger.hpp"

namespace action_triggers::tests {

/// A destination's broker.
struct SimulatedBroker {
  std::string name;
  OnDead on_dead = OnDead::skip;
  TimePoint down_until = TimePoint::min();
  std::chrono::microseconds pace{100};  // between two messages
  std::chrono::microseconds round_trip{1'000};
};

class RelayWorld {
 public:
  RelayWorld(std::uint64_t seed, std::vector<std::string>* text)
      : random(seed), ledger([this](const std::string& what) { violation(what); }), database(ledger), text_(text) {}

  // Choices
  std::uint64_t below(std::uint64_t limit) { return random() % limit; }
  bool chance(unsigned percent) { return below(100) < percent; }
  std::chrono::microseconds up_to(std::chrono::microseconds most) {
    return std::chrono::microseconds(static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most.count()) + 1)));
  }

  // Time
  TimePoint now = TimePoint(std::chrono::hours(1));
  void at(TimePoint time, std::function<void()> run) { events_.push({time, next_event_++, std::move(run)}); }
  void after(std::chrono::microseconds pause, std::function<void()> run) { at(now + pause, std::move(run)); }
  /// Runs the next event, if there is one until then.
  bool step(TimePoint until);

  // Record
  void note(const std::string& text);
  void violation(const std::string& text);

  std::mt19937_64 random;
  Ledger ledger;
  SimulatedDatabase database;
  std::vector<SimulatedBroker> brokers;               // by destination
  std::map<std::string, std::uint32_t> destinations;  // by name
  std::size_t version = 0;                            // of the configuration: the newest
  bool has_reloads = false;
  bool is_quiet = false;                    // nothing fails any more
  TimePoint crashed_at = TimePoint::min();  // the database, and maybe a lease with it
  std::function<void(const std::string& owner)> acquired;

  // In percent
  unsigned calls_fail = 0;
  unsigned refuses = 0;
  unsigned reconnects = 0;

  std::vector<std::string> violations;
  std::uint64_t trace = 0;
  std::uint64_t events = 0;

 private:
  struct Event {
    TimePoint time;
    std::uint64_t number;
    std::function<void()> run;
    friend bool operator<(const Event& one, const Event& other) {  // a priority_queue has its greatest on top
      return std::pair(one.time, one.number) > std::pair(other.time, other.number);
    }
  };

  std::priority_queue<Event> events_;
  std::uint64_t next_event_ = 0;
  const TimePoint begin_ = now;
  std::vector<std::string>* const text_;
};

}  // namespace action_triggers::tests
