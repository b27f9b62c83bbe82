// SPDX-License-Identifier: MIT
/// One message on its way to one destination, from fire() until the last of lane, client library and Delivery has
/// released it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "action_triggers/clock.hpp"
#include "action_triggers/delivery.hpp"
#include "action_triggers/outbound_message.hpp"
#include "core/payload.hpp"
#include "dispatch/mpsc_queue.hpp"
#include "dispatch/outcome_observer.hpp"

namespace action_triggers::detail {

class Destination;

/// The lane's queue node, the client library's OutboundMessage and the Delivery's shared state in one. The thread that
/// fires fills it, then the lane owns it; what others share is atomic.
///
/// make() puts record and payload into one block. Further records of the same payload (one event to several
/// destinations) come from share() and are small.
struct Record final : OutboundMessage, QueueNode {
  static constexpr std::uint8_t id_is_binary = 0, id_is_being_written = 1, id_is_text = 2;  // of `id_state`
  static constexpr std::uint32_t is_pending = 0, has_waiters = 1, is_done = 2;              // of `state`

  /// Copies the parts. With two references: the lane's and the Delivery's. Throws std::bad_alloc.
  static Record* make(Destination& destination, const MessageParts& parts, std::size_t counted_bytes,
                      const MessageId& id, DeliveryCallback&& callback);
  /// The same message to another destination. Its id's text must have been written (write_id()). Throws
  /// std::bad_alloc.
  static Record* share(Destination& destination, const Record& original, DeliveryCallback&& callback);

  Delivery handle() noexcept { return Delivery(this); }
  void add_reference() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept;

  /// Makes `report` visible to Deliveries, and wakes whoever waits. Once.
  void set_done() noexcept;
  [[nodiscard]] bool done() const noexcept { return state.load(std::memory_order_acquire) == is_done; }
  /// Somebody holds a Delivery, or gave a callback. Nobody can come to hold a Delivery anew: with only the lane's
  /// reference left, nobody will look.
  [[nodiscard]] bool is_awaited() const noexcept { return callback || references.load(std::memory_order_acquire) > 1; }
  /// Waits for set_done() until `deadline`; false: it came first.
  bool wait_until(TimePoint deadline) noexcept;

  /// The id's text, before anybody asks for it: the broker in send(), or who reports the outcome. Not when the message
  /// is admitted, which need not touch the payload. By the thread of Payload::write_id().
  void write_id() noexcept {
    if (id_state.load(std::memory_order_relaxed) == id_is_text) return;
    id_state.store(id_is_being_written, std::memory_order_relaxed);
    payload().write_id();
    id_state.store(id_is_text, std::memory_order_release);
  }
  /// Any thread that has a reference.
  [[nodiscard]] std::string shared_id() const;
  void count_attempt(int change) noexcept;

  [[nodiscard]] Destination& dest() const noexcept;
  /// The same on a thread that shares the record, since send_to() may be called meanwhile.
  [[nodiscard]] Destination& shared_dest() const noexcept;
  /// Another destination instead. Of a record in a commit scope only: no lane has it yet.
  void send_to(Destination& destination) noexcept;

  /// Until the outcome is decided; the lane's only, which fills it. In the order of use: what admitting and resolving
  /// touch comes first, what only refused messages need last.
  struct Queued {
    TimePoint deadline;
    std::uint64_t sequence;  // its place in the order of firing
    Record* due_before;      // neighbours in the DeadlineList
    Record* due_after;
    TimePoint retry_at;  // while it waits apart from the others
  };
  /// Afterwards.
  struct Result {
    std::chrono::nanoseconds latency;
    std::int64_t offset;
    std::int32_t partition;
    StatusCode code;
    Persistence persistence;
  };

  // In the order of use, since a long queue is far from the processor's caches: admitting a message touches what comes
  // first, up to `queued`; handing it to the broker less than that and the payload; what follows is its report's.

  // The lane's only. (Small ones first: they lie in the padding of what is before.)
  bool in_flight : 1 = false;         // the broker holds it
  bool waits_apart : 1 = false;       // in DestinationQueue's list of refused messages, not in the order
  bool resolved : 1 = false;          // its outcome is decided: `result` instead of `queued`
  bool reported : 1 = false;          // and has been reported
  bool may_have_arrived : 1 = false;  // by an earlier attempt
  bool durable : 1 = false;           // of an outbox, see durable.hpp; has an observer. Unchanged once it is fired
  bool holds_capacity = true;         // until it is released
  std::atomic<std::uint8_t> id_state{id_is_binary};  // see write_id(); written by the lane, read by whoever asks
  std::uint32_t failures = 0;                        // how often an attempt has failed

  Record* older = nullptr;  // neighbours in the destination's list; before, in that of a commit scope
  Record* newer = nullptr;
  std::uint32_t capacity_bytes = 0;  // what was reserved of the destination's capacity; fire()'s word
  std::uint32_t flush_group = 0;
  union {
    Queued queued;
    Result result;
  };

  // Shared.
  std::atomic<std::uint32_t> references{2};
  std::atomic<std::uint32_t> state{is_pending};  // what waiting threads sleep on
  // The thread whose open commit scope has the record, as this_thread() (base/readers.hpp) says; 0: none.
  std::atomic<std::uint32_t> scope_thread{0};

  std::uint32_t rejections = 0;  // the lane's only: of a durable one, those that count against its observer's limit

  const DeliveryCallback callback;
  OutcomeObserver* observer = nullptr;     // the relay's; outlives the record
  std::unique_ptr<DeliveryReport> report;  // written before set_done(), if somebody may look at it afterwards

 private:
  Record(const Destination& destination, Payload& payload, DeliveryCallback&& to_call) noexcept;
  ~Record();
  [[nodiscard]] Payload& payload() const noexcept { return *const_cast<Payload*>(payload_); }
};

/// Records in the order of firing, linked through themselves.
class RecordList {
 public:
  [[nodiscard]] bool empty() const noexcept { return oldest_ == nullptr; }
  [[nodiscard]] Record* oldest() const noexcept { return oldest_; }
  [[nodiscard]] Record* newest() const noexcept { return newest_; }

  void push_newest(Record& record) noexcept { insert_before(nullptr, record); }
  /// nullptr: as the newest.
  void insert_before(Record* next, Record& record) noexcept {
    record.newer = next;
    record.older = next != nullptr ? next->older : newest_;
    (record.older != nullptr ? record.older->newer : oldest_) = &record;
    (next != nullptr ? next->older : newest_) = &record;
  }
  void remove(Record& record) noexcept {
    (record.older != nullptr ? record.older->newer : oldest_) = record.newer;
    (record.newer != nullptr ? record.newer->older : newest_) = record.older;
    record.older = record.newer = nullptr;
  }

 private:
  Record* oldest_ = nullptr;
  Record* newest_ = nullptr;
};

}  // namespace action_triggers::detail
