// SPDX-License-Identifier: MIT
/// The rows that a relay has in its hands: sent to at least one target, or on their way out of the table. And what the
/// table has to be told of them: remove, bury, done. Nothing of that is forgotten before the table has it.
///
/// A row's life here:  sent ─► settled by all its targets ─► removed ─► forgotten
///                        └──► settled by some, the others not sent ─► done written ─► forgotten
/// Settled: it has confirmed, or the row is dead for it and buried.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "action_triggers/clock.hpp"
#include "outbox/outbox_row.hpp"
#include "outbox/relay_outlet.hpp"

namespace action_triggers::detail {

enum class TargetState : std::uint8_t { unsent, in_flight, dead, settled };  // dead: not buried yet

/// What it counts as in a destination's room.
std::size_t room_of(const OutboxRow& row);

struct HeldRow {
  std::int64_t id = 0;
  RowTime created_at{};
  std::size_t bytes = 0;
  std::optional<std::string> key;  // kept only if a target that it was sent to may stop it
  std::uint16_t fingerprint = 0;
  std::vector<std::uint32_t> destinations;  // by bit
  std::vector<TargetState> states;          // by bit
  std::uint64_t written = 0;                // bits that the table has
  std::size_t in_flight = 0;
  std::size_t dead = 0;
  std::size_t settled = 0;
  bool is_stale = false;        // another owner may have changed it, and it was not read since: `done` is not written
  bool is_leaving = false;      // its removal or burial is all that is left to do
  bool waits_for_done = false;  // listed in partly_settled_
  bool is_counted_idle = false;

  [[nodiscard]] bool has_unsent() const { return in_flight + dead + settled < states.size(); }
  [[nodiscard]] bool all_settled() const { return settled == states.size(); }
  /// Nothing will happen to it without the table.
  [[nodiscard]] bool is_idle() const { return in_flight == 0 && dead == 0 && !is_leaving; }
  [[nodiscard]] std::uint64_t bits() const;
  /// All bits but this one.
  [[nodiscard]] std::uint64_t mask_of_others(std::size_t bit) const;
};

class HeldRows {
 public:
  static constexpr std::chrono::milliseconds longest_removal_delay{20};
  static constexpr std::chrono::seconds longest_partly_settled{1};

  /// At most `batch` rows in one action.
  explicit HeldRows(std::size_t batch) : batch_(batch) {}

  [[nodiscard]] HeldRow* find(std::int64_t id);
  [[nodiscard]] std::size_t size() const { return rows_.size(); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  [[nodiscard]] std::optional<std::int64_t> lowest() const;
  template <class Call>
  void for_each(Call&& call) const {
    for (const auto& [id, row] : rows_) call(row);
  }

  // What becomes of a row. It may be forgotten by each of these.
  HeldRow& hold(const OutboxRow& row, const RowTargets& targets);
  /// It was read again: what the table says it has settled, it has.
  void learn(HeldRow& row, const OutboxRow& read, std::uint16_t fingerprint, TimePoint now);
  void sent(HeldRow& row, std::uint32_t bit);
  /// It was held to be sent, and was not.
  void not_sent(HeldRow& row, TimePoint now) { review(row, now); }
  void confirmed(HeldRow& row, std::uint32_t bit, TimePoint now);
  /// In flight, and now to be sent again, at some time.
  void unsent(HeldRow& row, std::uint32_t bit, TimePoint now);
  void died(HeldRow& row, std::uint32_t bit, DeadRow dead, TimePoint now);
  /// A row that is not held, and nobody needs.
  void leave(const OutboxRow& row, TimePoint now);
  /// A row that is not held, and cannot be sent at all.
  void bury_whole(DeadRow dead);

  // What the table is to be told. The same again until it is said that it has been.
  [[nodiscard]] bool has_dead() const { return !dead_.empty() || !burying_.empty(); }
  std::vector<DeadRow> burials();
  void buried(TimePoint now);

  [[nodiscard]] TimePoint removals_due(TimePoint now) const;
  [[nodiscard]] std::vector<std::int64_t> removals() const;
  void removed(std::size_t count);

  [[nodiscard]] TimePoint done_due(TimePoint now);
  std::vector<std::pair<std::int64_t, std::uint64_t>> done_words(TimePoint now, bool all);
  void done_set(TimePoint now);

  /// The lease is lost: only what is in flight or settled by all is of interest, and written no more than removed.
  void lost_lease();
  void has_lease() { has_lease_ = true; }

 private:
  struct Dead {
    DeadRow row;
    std::optional<std::uint32_t> bit;  // none: the row was not held before
  };

  void settle(HeldRow& row, std::uint32_t bit);
  void review(HeldRow& row, TimePoint now);
  void count_idle(HeldRow& row);
  void forget(HeldRow& row);

  const std::size_t batch_;
  std::unordered_map<std::int64_t, HeldRow> rows_;
  std::size_t in_flight_ = 0;
  std::size_t idle_ = 0;  // partly settled, and nothing in flight
  bool has_lease_ = false;

  std::deque<std::pair<TimePoint, std::int64_t>> leaving_;  // since when; oldest first
  std::deque<Dead> dead_;
  std::vector<Dead> burying_;
  std::deque<std::pair<TimePoint, std::int64_t>> partly_settled_;  // since when; oldest first
  std::vector<std::pair<std::int64_t, std::uint64_t>> writing_;    // bits
};

}  // namespace action_triggers::detail
