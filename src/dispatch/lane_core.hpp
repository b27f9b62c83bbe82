/// The lane's logic, without a thread, clock or socket of its own: what came in, what the broker said and what is due
/// go in; what to send, what to report and when to wake come out. Lane (lane.hpp) drives it in real time, tests in
/// virtual time.
///
/// A record's life:   admit ─► live, unsent ─► in flight ─► resolved ─► reported ─► freed
///                                  ▲              │ retryable failure
///                                  └──────────────┘
/// A deadline may resolve a record that is still in flight; it is then an orphan until the broker completes it.
///
/// Memory may run out: nothing here needs any for what it must not forget. Records and names are linked through
/// themselves, a broker that throws std::bad_alloc is replaced and its messages are sent again, an outcome whose report
/// finds no memory waits for it, and a text that finds none is left out.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/broker.hpp"
#include "base/message_id.hpp"
#include "dispatch/named_broker.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

/// A flush() that waits for everything that was picked up before it.
struct FlushMark : QueueNode {
  FlushMark() { is_flush_mark = true; }
  virtual ~FlushMark() = default;
  virtual void reached() noexcept = 0;  // may delete this

  FlushMark* next = nullptr;  // of the same epoch
};

/// A queue of names with room for a fixed number of them.
class NameRing {
 public:
  explicit NameRing(std::size_t room) : places_(room) {}

  [[nodiscard]] bool empty() const { return count_ == 0; }
  void push(NamedBroker& named) { places_[(first_ + count_++) % places_.size()] = &named; }
  NamedBroker& pop() {
    --count_;
    return *places_[std::exchange(first_, (first_ + 1) % places_.size())];
  }

 private:
  std::vector<NamedBroker*> places_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

class LaneCore final : private BrokerEvents {
 public:
  struct CloseCounts {
    std::size_t delivered = 0;
    std::size_t failed = 0;
    std::vector<std::size_t> abandoned;  // per name
  };

  struct Environment {
    std::function<std::unique_ptr<Broker>()> make_broker;  ///< Called again when a broker has thrown.
    std::function<void(LogLevel, std::string_view)> log;   ///< Throws nothing.
    std::function<TimePoint()> clock;                      ///< Never goes back.
    Waker waker;
    std::uint64_t seed = 0;
    bool failures_are_heard = false;     ///< Somebody wants to know of failures of which nobody holds a Delivery.
    bool reports_outlive_calls = false;  ///< Callbacks may read a report after report() has returned.
  };

  /// `names` outlive this.
  LaneCore(std::vector<NamedBroker*> names, Environment environment);
  ~LaneCore();

  /// Makes the first broker; throws what `make_broker` throws.
  void make_broker();
  void start();

  // One turn: begin it, admit and mark what the queue brought, step, report.
  void begin_turn(std::uint64_t unix_ms);
  void admit(Record& record);
  void mark(FlushMark& mark);
  void step();
  /// Publishes every outcome, and calls `run_callbacks(Record&, const DeliveryReport&)` for those that somebody may
  /// see. The message's room is given back before: whoever hears of the outcome can fire the next one.
  template <class RunCallbacks>
  void report(RunCallbacks&& run_callbacks) {
    out_of_memory_ = false;
    std::size_t ahead = 0;
    while (Record* record = first_resolved_) {
      if (ahead == 0) ahead = give_back_room_of_next();
      --ahead;
      if (is_heard(*record)) {
        const DeliveryReport* const report = report_of(*record);
        if (report == nullptr) {
          out_of_memory_ = true;  // later, then
          return;
        }
        take_resolved();
        if (record->report != nullptr) record->publish();
        run_callbacks(*record, *report);
      } else {
        take_resolved();
      }
      reported(*record);
    }
  }

  /// What is left at `deadline` is reported `closed`.
  void begin_close(TimePoint deadline);
  /// Closing, and every message that was accepted has been reported, and the broker is closed.
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] const CloseCounts& close_counts() const { return close_counts_; }

  /// What to wait for before the next turn.
  [[nodiscard]] WaitRequest wait_request() const;
  /// The next turn has something to do at once.
  [[nodiscard]] bool has_work() const { return !out_of_memory_ && (work_left_ || first_resolved_ != nullptr); }

  [[nodiscard]] ConnectionState state() const { return state_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::string connection_error() const;

 private:
  // BrokerEvents
  void complete(const OutboundMessage& message, Outcome outcome) override;
  void connected() override;
  void disconnected(Status why) override;
  void blocked(bool is_blocked, std::string_view why) override;
  void log(LogLevel level, std::string_view text) override;
  [[nodiscard]] TimePoint now() const override { return now_; }

  template <class Call>
  bool guarded(const char* what, Call&& call);
  void replace_broker(const Status& why);
  bool make_missing_broker();

  void resolve(Record& record, Outcome&& outcome);
  [[nodiscard]] bool is_heard(const Record& record) const;
  const DeliveryReport* report_of(Record& record) noexcept;
  void take_resolved();
  void unlink_unsent(Record& record);
  static void send_again_from(Record& record);
  void try_again(Record& record);
  void expire();
  void connect_if_due();
  void send_ready();
  std::size_t fill_batch(NamedBroker& named);
  std::size_t send_batch(NamedBroker& named);
  void drop_oldest_over_bounds(NamedBroker& named);
  void make_ready(NamedBroker& named);
  void resume_paused();
  void close_broker();
  void finish_close_if_due();
  std::size_t give_back_room_of_next();
  void reported(Record& record);
  void finish_flushes();

  [[nodiscard]] TimePoint deadline_of(const Record& record) const;
  [[nodiscard]] std::string what_it_waited_for(const Record& record) const;
  [[nodiscard]] bool tried_enough(const Record& record) const;
  [[nodiscard]] std::chrono::nanoseconds backoff(const RetryPolicy& policy, std::uint32_t failures);
  [[nodiscard]] bool all_accounted_for() const;
  [[nodiscard]] bool is_connected() const;
  void set_state(ConnectionState state) { state_.store(state, std::memory_order_relaxed); }

  const std::vector<NamedBroker*> names_;
  std::vector<const BrokerConfig*> configs_;
  const Environment environment_;
  std::unique_ptr<Broker> broker_;  // none: the next connect_if_due() makes one
  RetryPolicy connection_retry_;    // the most eager of the names'

  TimePoint now_;  // read a few times a turn, not for every message
  std::uint64_t unix_ms_ = 0;
  MessageIdGenerator ids_;
  std::mt19937_64 random_;

  std::uint64_t next_sequence_ = 0;
  std::size_t live_total_ = 0;
  RecordList orphans_;                // resolved, and still held by the broker
  Record* first_resolved_ = nullptr;  // with an outcome that is not reported yet, linked by next_in_queue
  Record* last_resolved_ = nullptr;
  std::vector<const OutboundMessage*> batch_;
  DeliveryReport passing_report_;  // of whatever message's callback is running

  // Names, each at most once in each; with room for all of them.
  NameRing ready_;
  std::vector<NamedBroker*> stalled_;  // the broker took less than it was offered
  std::vector<NamedBroker*> paused_;
  TimePoint next_deadline_ = TimePoint::max();  // no deadline is earlier; it may be too early
  bool work_left_ = false;
  bool out_of_memory_ = false;  // for a report

  std::atomic<ConnectionState> state_{ConnectionState::connecting};
  bool started_connecting_ = false;
  TimePoint connect_at_ = TimePoint::min();
  TimePoint connected_since_;
  std::uint32_t connect_failures_ = 0;
  mutable std::mutex connection_error_mutex_;
  std::string connection_error_;
  std::string blocked_why_;

  struct Epoch {
    std::size_t open = 0;
    FlushMark* marks = nullptr;
  };
  std::deque<Epoch> epochs_{1};
  std::uint32_t first_epoch_ = 0;

  bool closing_ = false;
  bool broker_closed_ = false;
  bool finished_ = false;
  TimePoint close_deadline_;
  CloseCounts close_counts_;
};

}  // namespace action_triggers::detail
