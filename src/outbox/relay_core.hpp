// SPDX-License-Identifier: MIT
/// The logic of a shard's relay, without a thread, clock, database or dispatcher of its own: what is true goes in, what
/// to do comes out. A driver carries it out, on one thread, and says what came of it:
///
///     for (;;) {
///       RelayAction action = core.next(now());
///       ... carry it out on the OutboxStore ...      on StoreError: core.store_failed(now())
///       core.read_done(now(), result);               each action's answer: relay_action.hpp
///       core.outcome(now(), id, bit, outcome);       at any time: what lanes have said since
///     }
///
/// `now` never goes back, and the one given to next() was read before the action is carried out: a lease counts from
/// there. An answer that nobody waits for is ignored, and so is an outcome of a row that is not in flight; if next() is
/// called without an answer, the action counts as not done.
///
/// What is unsent is what is in the table and neither held (HeldRows) nor marked in its `done`. So reading a row again
/// never harms, and everything else here is about where to read: one common reading for all destinations
/// (`position_`), one for each that is behind (DestinationFlow), one for ids that were missing (GapList), one for what
/// was missed (Sweep), one for dead rows that others wait for (Stops).
///
/// A database that has lost its latest transactions gives ids again. So what the table is told of says when its rows
/// were created, and is not meant for a new row with such an id; and where the sweep finds new rows below `position_`,
/// which the common reading would not come to, it goes back to there.
///
/// Order: of two rows of which the second one's writer knew of the first one's commit, no snapshot has the second
/// alone. Rows are sent in the order of their ids as one snapshot has them, and what a snapshot may have beside new
/// rows (open gaps) is read with it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/clock.hpp"
#include "core/backoff.hpp"
#include "outbox/destination_flow.hpp"
#include "outbox/gap_list.hpp"
#include "outbox/head_guard.hpp"
#include "outbox/held_rows.hpp"
#include "outbox/outbox_store.hpp"
#include "outbox/relay_action.hpp"
#include "outbox/relay_outlet.hpp"
#include "outbox/sweep.hpp"

namespace action_triggers::detail {

struct RelaySettings {
  std::int32_t shard = 0;
  std::string owner;  // Lease::owner
  std::chrono::milliseconds lease{10'000};
  std::size_t batch = 1'000;  // rows a read, a removal, …
  std::chrono::milliseconds poll_min{20};
  std::chrono::milliseconds poll_max{1'000};
  DestinationFlow::Room room;  // of each destination; rows: 2 * batch is a good value
  std::uint64_t seed = 0;      // of pauses after failures
};

class RelayCore {
 public:
  /// The outlet outlives this.
  RelayCore(RelaySettings settings, RelayOutlet& outlet);

  /// What to do now. Starts with ReopenStore.
  RelayAction next(TimePoint now);

  // Answers
  void reopened(TimePoint now);
  /// Nothing: somebody else has it. ShardNotes::deaths counts the owner before this one, if it has not released.
  void acquired(TimePoint now, const std::optional<std::pair<Lease, ShardNotes>>& lease);
  void renewed(TimePoint now, bool is_held);
  void released(TimePoint now);
  void read_done(TimePoint now, const ReadResult& result);
  void removed(TimePoint now);
  void done_set(TimePoint now);
  void buried(TimePoint now);
  /// Any of them has failed, reopening too. It is tried again after a pause, on a new session.
  void store_failed(TimePoint now);

  // What happens meanwhile
  void outcome(TimePoint now, std::int64_t row, std::uint32_t bit, const RowOutcome& outcome);
  /// Rows may have been committed: read at once.
  void committed() { is_hinted_ = true; }
  /// The outlet answers otherwise from now on.
  void configuration_changed(TimePoint now);
  /// Sends no more; what is in flight is waited for (for longer than the caller likes, maybe: it need not wait), the
  /// table told of it, the lease given back. Then next() says RelayFinished.
  void stop() { is_stopping_ = true; }

  // What it is like
  [[nodiscard]] const std::optional<Lease>& lease() const { return lease_; }
  [[nodiscard]] bool may_send(TimePoint now) const { return lease_ && now < lease_until_ && !is_stopping_; }
  [[nodiscard]] bool is_finished() const { return is_finished_; }
  [[nodiscard]] const HeldRows& held() const { return rows_; }
  [[nodiscard]] const std::map<std::uint32_t, DestinationFlow>& flows() const { return flows_; }
  [[nodiscard]] std::size_t gaps() const { return gaps_.size(); }
  [[nodiscard]] std::int64_t position() const { return position_; }

 private:
  enum class Asked : std::uint8_t { nothing, reopen, acquire, renew, release, read, remove, done, bury };
  enum class Reading : std::uint8_t { common, gaps, stopped, behind, sweep };
  static constexpr std::size_t readings = 5;
  enum class Offer : std::uint8_t { taken, full };  // full: the reading stops before this row

  // relay_core.cpp: what to do
  std::optional<RelayAction> reopen_if_due(TimePoint now);
  std::optional<RelayAction> keep_lease(TimePoint now);
  template <class Rows, class IdOf>
  [[nodiscard]] CreatedBetween created_between(const Rows& rows, const IdOf& id_of);
  std::optional<RelayAction> write_back(TimePoint now);
  std::optional<RelayAction> leave(TimePoint now);
  bool answers(Asked asked);
  void begin_epoch(const ShardNotes& notes, TimePoint now);
  void lose_lease(TimePoint now);
  [[nodiscard]] ShardNotes notes() const;
  [[nodiscard]] std::int64_t low() const;
  [[nodiscard]] TimePoint next_due(TimePoint now);
  [[nodiscard]] TimePoint next_reading_due(TimePoint now) const;

  // relay_reading.cpp: what to read, and what becomes of it
  std::optional<RelayAction> read_if_due(TimePoint now);
  std::optional<std::vector<IdRange>> ids_to_read(Reading reading, TimePoint now);
  std::vector<IdRange> new_ids(TimePoint now);
  std::optional<std::vector<IdRange>> ids_of_flow(Reading reading, TimePoint now);
  void end_waiting_for_room(TimePoint now);
  void repeat_reading();
  [[nodiscard]] std::optional<ReadResult> before_suspect(const ReadResult& result) const;
  void read_common(TimePoint now, const ReadResult& result);
  bool take_new_row(TimePoint now, const OutboxRow& row, const Horizon& snapshot);
  void read_gaps(TimePoint now, const ReadResult& result);
  void read_sweep(TimePoint now, const ReadResult& result);
  void read_behind(TimePoint now, const ReadResult& result);
  void read_stopped(TimePoint now, const ReadResult& result);
  void set_poll(TimePoint now, const ReadResult& result, bool is_full);

  // relay_sending.cpp: what is sent, and what became of it
  Offer offer(TimePoint now, const OutboxRow& row);
  Offer offer_to(TimePoint now, const OutboxRow& row, const RowTargets& targets, std::uint32_t bit);
  [[nodiscard]] bool is_unsent(const OutboxRow& row, const RowTargets& targets, std::uint32_t bit);
  [[nodiscard]] bool is_needed(const OutboxRow& row, std::uint32_t destination);
  [[nodiscard]] bool is_for_one() const { return reading_ == Reading::stopped || reading_ == Reading::behind; }
  bool goes_nowhere(TimePoint now, const OutboxRow& row, const RowTargets& targets);
  bool send(TimePoint now, const OutboxRow& row, const RowTargets& targets, std::uint32_t bit, DestinationFlow& flow);
  static void put_on_trial(TimePoint now, const OutboxRow& row, DestinationFlow& flow);
  void died(TimePoint now, HeldRow& row, std::uint32_t bit, const RowOutcome& outcome);
  void resume(DestinationFlow& flow, std::int64_t row);
  DestinationFlow& flow_of(std::uint32_t destination);

  const RelaySettings settings_;
  RelayOutlet& outlet_;
  Backoff backoff_;

  Asked asked_ = Asked::nothing;
  TimePoint asked_at_;
  std::size_t asked_rows_ = 0;        // of a removal
  ShardNotes asked_notes_;            // of a renewal
  Reading reading_ = Reading::sweep;  // of a read; the next kind has the next turn
  std::uint32_t reading_for_ = 0;     // behind, stopped: the destination
  std::vector<IdRange> reading_ids_;

  bool is_open_ = false;
  std::uint32_t failures_ = 0;  // of the store, in a row
  TimePoint retry_at_ = TimePoint::min();
  bool is_stopping_ = false;
  bool is_finished_ = false;

  std::optional<Lease> lease_;
  std::int32_t own_ends_ = 0;  // how often a lease of ours ended, and we live: the table counts them as deaths
  TimePoint lease_until_;      // on our clock, from before it was asked for: never later than the database's
  TimePoint renew_at_;
  TimePoint acquire_at_ = TimePoint::min();

  HeldRows rows_;
  std::map<std::uint32_t, DestinationFlow> flows_;
  std::uint32_t last_behind_ = 0;  // they take turns
  GapList gaps_;
  Sweep sweep_;
  HeadGuard guard_;

  std::int64_t position_ = 0;        // the common reading has taken all rows up to it that it saw
  std::int64_t low_ = 0;             // ShardNotes::low at the takeover: what is missing up to it has left
  std::int64_t last_inherited_ = 0;  // rows up to it may have waited for a dead one before the takeover
  RowTime newest_;                   // of the rows that the common reading has taken
  bool is_hinted_ = false;
  TimePoint poll_at_ = TimePoint::min();
  std::chrono::milliseconds poll_pause_;
  std::optional<std::uint32_t> waits_for_;  // the common reading, for room of this destination
  TimePoint waits_until_;
};

}  // namespace action_triggers::detail
