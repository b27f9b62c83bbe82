// SPDX-License-Identifier: MIT
/// The ids that a reading has passed over without seeing a row: somebody may hold one in a transaction that commits
/// later. Each range is read again, soon at first, until no transaction is open any more that was open when it was
/// seen. A transaction takes its id a moment before its own number, by which snapshots know it: so those count that had
/// numbers a tenth of a second later, and a range lives for five seconds at least.
///
/// That keeps rows from being lost. For their order, the reading of new rows reads open ranges in the same snapshot: a
/// row whose writer knew of a late one is never seen without it.
///
/// The number of ranges is bounded: some are joined, and then have rows among them that are known. Those are read by
/// themselves only, and so the oldest ones are joined: rows of a transaction that takes its ids long before it commits
/// may then be overtaken, if hundreds of others have rolled back meanwhile.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "action_triggers/clock.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {

class GapList {
 public:
  static constexpr std::size_t most_ranges = 256;
  static constexpr std::chrono::milliseconds first_pause{4};
  static constexpr std::chrono::milliseconds longest_pause{1'000};
  static constexpr std::chrono::seconds shortest_life{5};
  static constexpr std::chrono::milliseconds number_comes_within{100};
  static constexpr std::uint64_t widest_open = 4'096;  // ids: a reading has to step over what was removed among them

  /// No row of these ids was in the snapshot. They are greater than all that were added before.
  void add(IdRange missing, const Horizon& snapshot, TimePoint now);

  /// What to read now; read_again() is told of the answer.
  std::vector<IdRange> due(TimePoint now);
  void read_again(const ReadResult& result, TimePoint now);
  /// What to read together with new rows; read_along() is told of the answer.
  std::vector<IdRange> open(TimePoint now);
  void read_along(const ReadResult& result, TimePoint now);

  /// TimePoint::max(): never.
  [[nodiscard]] TimePoint next_due() const;
  [[nodiscard]] std::optional<std::int64_t> lowest() const;
  [[nodiscard]] std::size_t size() const { return gaps_.size(); }
  void clear() { gaps_.clear(); }
  /// What is above it is read anew, and what is missing there is added again.
  void forget_above(std::int64_t last);

 private:
  struct Gap {
    IdRange ids;
    std::uint64_t transactions_before = 0;  // those that may have taken an id of it; right when has_numbers
    TimePoint first_seen_at;                // of those joined
    TimePoint seen_at;                      // the last of those joined
    TimePoint due;
    std::chrono::milliseconds pause{};
    bool is_asked = false;
    bool is_joined = false;
    bool has_numbers = false;
    bool is_past_horizon = false;

    [[nodiscard]] bool is_read_by_itself() const;
  };

  void look_at_horizon(Gap& gap, const Horizon& horizon) const;
  void judge(const ReadResult& result, TimePoint now, bool is_along);
  void keep_what_is_missing(const Gap& gap, const ReadResult& result, std::vector<Gap>& kept) const;
  void join_two();

  std::vector<Gap> gaps_;  // ascending, apart from each other
  TimePoint asked_at_;     // before the snapshot was taken
};

}  // namespace action_triggers::detail
