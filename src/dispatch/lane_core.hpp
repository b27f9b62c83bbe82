/// The lane's logic, without a thread, clock or socket of its own: what came in, what the broker said and what is due
/// go in; what to send, what to report and when to wake come out. Lane (lane.hpp) drives it in real time, tests in
/// virtual time.
///
/// A record's life:   admit ─► live, unsent ─► in flight ─► resolved ─► reported ─► freed
///                                  ▲              │ retryable failure
///                                  └──────────────┘
/// A deadline may resolve a record that is still in flight; it is then an orphan until the broker completes it.
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
#include "dispatch/message_id.hpp"
#include "dispatch/named_broker.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

/// A flush() that waits for everything that was picked up before it.
struct FlushMark : QueueNode {
  FlushMark() { is_flush_mark = true; }
  virtual ~FlushMark() = default;
  virtual void reached() noexcept = 0;  // may delete this
};

class LaneCore final : private BrokerEvents {
 public:
  struct Resolved {
    Record* record;
    Outcome outcome;
    std::chrono::nanoseconds latency;
  };
  struct CloseCounts {
    std::size_t delivered = 0;
    std::size_t failed = 0;
    std::vector<std::size_t> abandoned;  // per name
  };

  /// `make_broker` is called again when a broker has thrown. `names` outlive this. `clock` never goes back.
  LaneCore(std::function<std::unique_ptr<Broker>()> make_broker, std::vector<NamedBroker*> names,
           std::function<void(LogLevel, std::string_view)> log, std::function<TimePoint()> clock, std::uint64_t seed);
  ~LaneCore();

  /// Makes the first broker; throws what `make_broker` throws.
  void make_broker();
  void start(Waker waker);

  // One turn: begin it, admit and mark what the queue brought, step, report.
  void begin_turn(std::uint64_t unix_ms);
  void admit(Record& record);
  void mark(FlushMark& mark);
  void step();
  /// Calls `publish(Resolved&)` for every outcome, to publish it and run its callbacks. The message's room is given
  /// back just before: whoever hears of the outcome can fire the next one.
  template <class Publish>
  void report(Publish&& publish) {
    for (Resolved& item : std::exchange(resolved_, {})) {
      if (!item.record->in_flight) give_back_room(*item.record);
      publish(item);
      reported(*item.record);
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
  [[nodiscard]] bool has_work() const { return work_left_ || !resolved_.empty(); }

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
  void replace_broker(const char* what, const char* why);

  void resolve(Record& record, Outcome outcome);
  void unlink_unsent(Record& record);
  void retry_failed();
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
  void give_back_room(Record& record);
  void reported(Record& record);
  void finish_flushes();

  [[nodiscard]] TimePoint deadline_of(const Record& record) const;
  [[nodiscard]] std::string what_it_waited_for(const Record& record) const;
  [[nodiscard]] bool tried_enough(const Record& record) const;
  [[nodiscard]] std::chrono::nanoseconds backoff(const RetryPolicy& policy, std::uint32_t failures);
  [[nodiscard]] bool all_accounted_for() const;
  [[nodiscard]] bool is_connected() const;
  void set_state(ConnectionState state) { state_.store(state, std::memory_order_relaxed); }

  const std::function<std::unique_ptr<Broker>()> make_broker_;
  const std::vector<NamedBroker*> names_;
  std::vector<const BrokerConfig*> configs_;
  const std::function<void(LogLevel, std::string_view)> log_;
  const std::function<TimePoint()> clock_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<Waker> waker_;
  RetryPolicy connection_retry_;  // the most eager of the names'

  TimePoint now_;  // read a few times a turn, not for every message
  std::uint64_t unix_ms_ = 0;
  MessageIdGenerator ids_;
  std::mt19937_64 random_;

  std::uint64_t next_sequence_ = 0;
  std::size_t live_total_ = 0;
  RecordList orphans_;  // resolved, and still held by the broker
  std::vector<Record*> failed_;
  std::vector<Resolved> resolved_;
  std::deque<NamedBroker*> ready_;
  std::vector<NamedBroker*> stalled_;  // the broker took less than it was offered
  std::vector<NamedBroker*> paused_;
  std::vector<const OutboundMessage*> batch_;
  TimePoint next_deadline_ = TimePoint::max();  // no deadline is earlier; it may be too early
  bool work_left_ = false;

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
    std::vector<FlushMark*> marks;
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
