// SPDX-License-Identifier: MIT
/// The destinations of a lane: those that it has, those that are leaving, and their numbers in the broker.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "action_triggers/broker_config.hpp"
#include "dispatch/deadlines.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/due_heap.hpp"

namespace action_triggers::detail {

class DestinationSet {
 public:
  DestinationSet(DueHeap& due, Deadlines& deadlines) : due_(due), deadlines_(deadlines) {}

  /// Gives the destination a number, its list of deadlines and its place in the heap. Throws std::bad_alloc, and then
  /// nothing has changed.
  void add(Destination& destination, LaneCore& core);
  /// It is to leave. Needs no memory.
  void begin_removal(Destination& destination, TimePoint deadline);
  /// Takes back what add() gave.
  void forget(Destination& destination);
  /// Numbers without gaps, for a broker that is new and holds no message yet.
  void number_anew();

  [[nodiscard]] const std::vector<Destination*>& all() const noexcept { return all_; }
  [[nodiscard]] const std::vector<Destination*>& leaving() const noexcept { return leaving_; }
  /// By number. nullptr: a number that is free; there is none after number_anew().
  [[nodiscard]] std::span<const BrokerConfig* const> configs() const noexcept { return configs_; }

  /// The shortest pauses between attempts that any of them wants.
  [[nodiscard]] RetryPolicy shortest_pauses() const;
  /// Writes down since when each one's oldest message waits.
  void note_oldest() const noexcept;
  [[nodiscard]] bool some_wait_for_others() const noexcept;
  /// No thread that fires is between reserving capacity and pushing its message.
  [[nodiscard]] bool all_accounted_for() const noexcept;

 private:
  DueHeap& due_;
  Deadlines& deadlines_;
  std::vector<Destination*> all_;
  std::vector<Destination*> leaving_;
  std::vector<const BrokerConfig*> configs_;
};

}  // namespace action_triggers::detail
