// SPDX-License-Identifier: MIT
/// One destination's share of a shard: how much room it has, and how far its rows have been taken.
///
/// It follows: its rows are sent as the shard's common reading finds them. Or it is behind: up to its cursor all rows
/// have been taken, and the others wait in the table until half of its room is free; then they are read for it alone.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "action_triggers/clock.hpp"
#include "outbox/relay_outlet.hpp"
#include "outbox/stops.hpp"

namespace action_triggers::detail {

/// Of the least id: itself.
constexpr std::int64_t id_before(std::int64_t id) {
  return id == std::numeric_limits<std::int64_t>::min() ? id : id - 1;
}

class DestinationFlow {
 public:
  struct Room {
    std::size_t rows = 2'000;
    std::size_t bytes = 16U << 20;
  };

  /// How long the common reading may wait for room instead of passing rows over, which are then read twice. One that
  /// has used it up falls behind, and nobody waits for it for some time.
  static constexpr std::chrono::milliseconds patience{50};
  static constexpr std::chrono::seconds impatience{10};
  static constexpr std::chrono::milliseconds first_refusal_pause{20};
  static constexpr std::chrono::milliseconds longest_refusal_pause{1'000};

  DestinationFlow(RelayDestination destination, Room room) : destination_(std::move(destination)), room_(room) {}

  [[nodiscard]] const RelayDestination& destination() const { return destination_; }
  void change(RelayDestination destination) { destination_ = std::move(destination); }

  // Room
  /// A row larger than all room has it if it is alone.
  [[nodiscard]] bool has_room(std::size_t bytes, TimePoint now) const;
  void took(std::size_t bytes);
  /// A row of so many bytes found no room: rows are wanted again when there is room for it.
  void is_full_for(std::size_t bytes) { needed_bytes_ = bytes; }
  void gave_back(std::size_t bytes);
  /// The outlet did not take a row.
  void refused(TimePoint now);
  /// What had been sent was not: nothing is sent until the rest of it is back, or it would be overtaken.
  void closed(std::int64_t row, TimePoint now);
  void confirmed() { refusal_pause_ = first_refusal_pause; }
  [[nodiscard]] std::size_t rows_in_flight() const { return rows_; }
  [[nodiscard]] std::size_t bytes_in_flight() const { return bytes_; }

  // Following and catching up
  [[nodiscard]] bool is_behind() const { return is_behind_; }
  [[nodiscard]] std::int64_t cursor() const { return cursor_; }
  /// Behind from now on, or further behind.
  void fall_behind(std::int64_t cursor);
  void advance(std::int64_t cursor) { cursor_ = cursor; }
  void follow() { is_behind_ = false; }
  /// Behind, and half of its room is free.
  [[nodiscard]] bool wants_rows(TimePoint now) const { return is_behind_ && !stops.holds_all() && is_half_free(now); }
  [[nodiscard]] bool is_half_free(TimePoint now) const;
  /// When wants_rows() may become true without an outcome; max: never.
  [[nodiscard]] TimePoint next_try(TimePoint now) const;

  // The common reading waits for it
  [[nodiscard]] bool is_worth_waiting_for(TimePoint now) const;
  void used_up_patience(TimePoint now) { no_patience_until_ = now + impatience; }

  /// Another lease: what it knew of the table's rows is forgotten; what is in flight still is.
  void start_anew();

  Stops stops;

 private:
  RelayDestination destination_;
  Room room_;
  std::size_t rows_ = 0;
  std::size_t bytes_ = 0;
  std::size_t needed_bytes_ = 0;
  bool is_behind_ = false;
  bool is_draining_ = false;  // until nothing is in flight
  std::int64_t cursor_ = 0;
  TimePoint refused_until_ = TimePoint::min();
  std::chrono::milliseconds refusal_pause_ = first_refusal_pause;
  TimePoint no_patience_until_ = TimePoint::min();
};

}  // namespace action_triggers::detail
