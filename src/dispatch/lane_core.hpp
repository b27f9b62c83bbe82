// SPDX-License-Identifier: MIT
/// The lane's logic, without a thread, clock or socket of its own: what came in, what the broker said and what is due
/// go in; what to send, what to report and when to wake come out. Lane (lane.hpp) drives it in real time, tests in
/// virtual time.
///
/// A record's life:   admit ─► queued, unsent ─► in flight ─► resolved ─► reported ─► freed
///                                  ▲                │ retryable failure
///                                  └────────────────┘
/// A deadline may resolve a record that is still in flight; the broker then holds it until it completes it, late.
///
/// Memory may run out: nothing here needs any for what it must not forget. Records and destinations are linked through
/// themselves, a broker that throws std::bad_alloc is replaced and its messages are sent again, an outcome whose report
/// finds no memory waits for it, and a text that finds none is left out.
///
/// The parts: DestinationQueue (order, window, refused messages), TurnOrder (whose turn it is), DestinationSet, DueHeap
/// and Deadlines (what is due), ConnectionSupervisor (when to connect), OutcomeQueue and ReportMaker (outcomes),
/// FlushBarriers, LaneClosing (the end).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/broker.hpp"
#include "core/backoff.hpp"
#include "dispatch/broker_slot.hpp"
#include "dispatch/callback_time.hpp"
#include "dispatch/connection_log.hpp"
#include "dispatch/connection_supervisor.hpp"
#include "dispatch/deadlines.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/destination_set.hpp"
#include "dispatch/due_heap.hpp"
#include "dispatch/flush_barriers.hpp"
#include "dispatch/lane_closing.hpp"
#include "dispatch/outcome_queue.hpp"
#include "dispatch/record.hpp"
#include "dispatch/report_maker.hpp"
#include "dispatch/turn_order.hpp"

namespace action_triggers::detail {

class LaneCore final : private BrokerEvents {
 public:
  struct Environment {
    std::function<std::unique_ptr<Broker>()> make_broker;  ///< Called again when a broker has thrown.
    std::function<void(LogLevel, std::string_view)> log;   ///< Throws nothing.
    std::function<TimePoint()> clock;                      ///< Never goes back.
    Waker waker;
    std::uint64_t seed = 0;
    bool on_failure_is_set = false;      ///< Failures are reported even if nobody holds a Delivery.
    bool reports_outlive_calls = false;  ///< Callbacks may read a report after report() has returned.
  };

  explicit LaneCore(Environment environment);

  /// Before start(), or on the lane's thread. The destination outlives this, or is removed before. Throws
  /// std::bad_alloc, and then nothing has changed.
  void add(Destination& destination);
  /// Its capacity is closed. What is left at `deadline` is reported `closed`; when the broker holds nothing of it any
  /// more, it is forgotten, and `removed(destination)` is called.
  void remove(Destination& destination, TimePoint deadline);
  std::function<void(Destination&)> removed;
  /// Writes down since when each destination's oldest message waits (Destination::oldest_since).
  void note_oldest() noexcept { destinations_.note_oldest(); }
  /// Of a destination that waits_for_others: its messages may be sent now.
  void let_go(Destination& destination);

  /// Makes the first broker; throws what `make_broker` throws.
  void make_broker() { broker_.make(); }
  void start();

  // One turn: begin it, admit and run what the queue brought, step, report.
  void begin_turn() { now_ = environment_.clock(); }
  void admit(Record& record);
  void flush(FlushBarrier& barrier) { flushes_.add(barrier); }
  void step();
  /// Publishes the outcomes, and calls `run_callbacks(Record&, const DeliveryReport&)` for those that somebody may
  /// see, for 10 ms a turn: a broker that is not polled misses its heartbeats. The message's capacity is released
  /// before: whoever learns of the outcome can fire the next one.
  template <class RunCallbacks>
  void report(RunCallbacks&& run_callbacks) {
    out_of_memory_ = false;
    CallbackTime time(environment_.clock);
    while (Record* record = outcomes_.first()) {
      outcomes_.release_capacity_of_first();
      const bool is_read = reports_.needs_report(*record);
      const DeliveryReport* const report = is_read ? reports_.report_of(*record) : nullptr;
      if (is_read && report == nullptr) {
        out_of_memory_ = true;  // later, then
        return;
      }
      outcomes_.pop();
      if (record->report != nullptr) record->set_done();
      if (is_read) {
        time.begins();
        run_callbacks(*record, *report);
      }
      reported(*record);
      if (is_read && time.is_up()) return;  // the broker's turn; the rest in the next
    }
  }

  /// What is left at `deadline` is reported `closed`. `all`: all of the dispatcher's lanes close, not this one alone.
  void begin_close(TimePoint deadline, bool all = true) { closing_.begin(deadline, all); }
  /// Closing, and every message that was accepted has been reported, and the broker is closed.
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] const LaneClosing::Counts& close_counts() const { return closing_.counts(); }

  /// What to wait for before the next turn.
  [[nodiscard]] WaitRequest wait_request();
  /// The next turn has something to do at once.
  [[nodiscard]] bool has_work() const { return !out_of_memory_ && (work_left_ || !outcomes_.empty()); }

  [[nodiscard]] ConnectionFacts connection_facts() const { return connection_.facts(); }
  [[nodiscard]] std::string connection_error() const { return connection_.error(); }
  [[nodiscard]] bool wait_until_connected(TimePoint deadline) const { return connection_.wait_until_up(deadline); }

  /// A pause of the destination, the wait of a refused message, or its time to leave is over.
  void destination_due(Destination& destination, TimePoint now);

 private:
  // BrokerEvents
  void complete(const OutboundMessage& message, Outcome outcome) override;
  void connected() override { connection_.connected(now_); }
  void disconnected(Status why) override;
  void blocked(bool is_blocked, std::string_view why) override { connection_.blocked(is_blocked, why); }
  void reconnecting(bool is_reconnecting, std::string_view why) override {
    connection_.reconnecting(is_reconnecting, why);
  }
  void full() override { connection_full_ = true; }
  void log(LogLevel level, std::string_view text) override { environment_.log(level, text); }
  [[nodiscard]] TimePoint now() const override { return now_; }

  // The broker
  template <class Call>
  bool call_broker(const char* what, Call&& call);
  void start_broker();
  void replace_broker(const Status& why);
  void connect_if_due();
  void close_broker();

  // Sending
  void send_ready();
  std::size_t send_batch(Destination& destination);
  void set_due(Destination& destination);
  void drop_oldest_over_capacity(Destination& destination);

  // Outcomes
  void resolve(Record& record, Outcome&& outcome);
  void resolve_late(Record& record, Outcome outcome);
  void released_by_broker(Record& record);
  void resolve_all(Destination& destination, const char* why);
  void reported(Record& record);

  // The end
  void finish_removals();
  void finish_close_if_due();

  const Environment environment_;
  BrokerSlot broker_;  // empty: the next connect_if_due() makes one

  TimePoint now_;  // read a few times a turn, not for every message
  Backoff backoff_;
  DueHeap due_;
  ConnectionSupervisor connection_;
  ConnectionLog connection_log_;
  Deadlines deadlines_;

  DestinationSet destinations_;
  TurnOrder order_;

  std::uint64_t next_sequence_ = 0;
  std::size_t queued_total_ = 0;  // messages without an outcome
  RecordList expired_in_flight_;  // resolved, and still held by the broker
  std::vector<const OutboundMessage*> batch_;
  OutcomeQueue outcomes_;
  ReportMaker reports_;
  FlushBarriers flushes_;
  bool connection_full_ = false;
  bool work_left_ = false;
  bool out_of_memory_ = false;  // for a report

  LaneClosing closing_;
  bool finished_ = false;
};

}  // namespace action_triggers::detail
