// SPDX-License-Identifier: MIT
/// One process of a simulation of relays: the real RelayCore, what drives it, and lanes that keep the order.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "outbox/relay_core.hpp"
#include "sim/relay_world.hpp"

namespace action_triggers::tests {

class RelayProcess final : public std::enable_shared_from_this<RelayProcess>, private detail::RelayOutlet {
 public:
  RelayProcess(RelayWorld& world, std::string name, detail::RelaySettings settings);

  void start();
  /// At once, whatever it was about to do.
  void kill(const char* why);
  /// It does nothing until then.
  void pause(TimePoint until);
  /// Cleanly; what is in flight after `patience` is closed.
  void stop(std::chrono::microseconds patience);
  void reload(std::size_t version);
  /// Some of its destinations are replaced: what they hold is closed.
  void close_lanes();
  void committed();

  [[nodiscard]] bool is_alive() const { return is_alive_; }
  [[nodiscard]] const std::string& name() const { return settings_.owner; }
  /// What it has in its hands may be sent twice.
  void lost_its_lease(bool to_another);

 private:
  struct Sent {
    std::int64_t row;
    std::uint32_t bit;
    bool has_arrived = false;
    TimePoint confirmed_at{};
  };
  struct Lane {
    std::deque<Sent> queue;
    std::deque<Sent> closing;  // of the lane before this one
    bool has_turn = false;
  };
  struct Told {
    std::int64_t row;
    std::uint32_t bit;
    detail::RowOutcome outcome;
  };

  // RelayOutlet
  detail::RowTargets targets_of(const detail::OutboxRow& row) override;
  detail::RelayDestination destination(std::uint32_t number) override;
  bool send(const detail::OutboxRow& row, std::uint32_t bit, std::uint32_t destination) override;

  // The driver
  void later(TimePoint time, std::function<void()> run);
  void wake();
  void turn();
  void hand_over_outcomes();
  void carry_out(const detail::RelayAction& action);
  void call(std::function<std::function<void()>()> effect, bool may_lose_answer);
  std::function<void()> effect_of(const detail::RelayAction& action);
  std::function<void()> acquire(const detail::AcquireLease& action);
  void check_bounds();

  // The lanes
  void take_turn(std::uint32_t destination);
  void lane_turn(std::uint32_t destination);
  bool deliver(std::uint32_t destination);
  void tell_of_first(std::deque<Sent>& queue, std::uint32_t destination, StatusCode code);
  void close_lane(std::uint32_t destination);
  void closing_turn(std::uint32_t destination);
  void count_death();
  void reconnect(std::uint32_t destination);

  RelayWorld& world_;
  const detail::RelaySettings settings_;
  detail::RelayCore core_;
  std::size_t version_;
  std::map<std::uint32_t, Lane> lanes_;
  std::deque<Told> told_;
  std::set<std::pair<std::int64_t, std::uint32_t>>
      sent_;  // row and destination; not told of yet, or still in the table
  std::set<std::int64_t> ever_sent_;
  bool is_alive_ = true;
  bool dies_ = false;  // of what it has just sent
  bool is_busy_ = false;
  bool lists_targets_ = false;
  bool was_late_ = false;  // it was paused between a look at the clock and what it did then
  std::uint64_t wake_number_ = 0;
  TimePoint paused_until_ = TimePoint::min();
  TimePoint last_wait_ = TimePoint::min();
};

}  // namespace action_triggers::tests
