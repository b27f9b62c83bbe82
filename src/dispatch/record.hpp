/// One fired message, from fire() until the last of lane, client library and Delivery has let go of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "action_triggers/broker.hpp"
#include "action_triggers/delivery.hpp"
#include "action_triggers/message.hpp"
#include "dispatch/mpsc_queue.hpp"

namespace action_triggers::detail {

struct NamedBroker;

/// What fire() was given, before it is copied.
struct MessageParts {
  std::string_view body;
  const Message* rest = nullptr;  // key, headers and so on; nullptr: only a body
};

/// The record is the queue's node, the client library's buffer and the Delivery's shared state in one allocation: the
/// message's bytes follow the object. The hook fills it, then the lane owns it; what others share is atomic.
struct Record final : OutboundMessage, QueueNode {
  enum class State : std::uint32_t { pending, waited_for, done };

  /// Copies the parts. With two references: the lane's and the Delivery's. Throws std::bad_alloc.
  static Record* make(const MessageParts& parts, std::size_t payload_bytes, DeliveryCallback&& callback);

  /// What the bounds count: body, key, content type, id and headers. Throws nothing.
  static std::size_t payload_bytes(const MessageParts& parts) noexcept;

  Delivery handle() noexcept { return Delivery(this); }
  void add_reference() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept;

  /// Makes `report` visible to Deliveries, and wakes who waits. Once.
  void publish() noexcept;
  [[nodiscard]] bool published() const noexcept { return state.load(std::memory_order_acquire) == State::done; }
  /// Waits for publish() until `deadline`; false: it came first.
  bool wait_until(TimePoint deadline) noexcept;

  // What the lane adds to the message when it picks it up.
  void set_destination(const BrokerConfig& config, std::uint32_t index) noexcept;
  char* missing_id() noexcept;  // where the lane writes the 36 characters, if the application gave no id; else nullptr
  void count_attempt(int change) noexcept {
    attempts_ = static_cast<std::uint32_t>(static_cast<int>(attempts_) + change);
  }
  [[nodiscard]] std::uint32_t attempts() const noexcept { return attempts_; }

  NamedBroker* named = nullptr;
  const DeliveryCallback callback;
  std::uint32_t quota_bytes = 0;  // what was taken from the name's bounds
  std::int32_t partition = -1;    // once resolved

  // The lane's only.
  Record* older = nullptr;  // neighbours in RecordList
  Record* newer = nullptr;
  union {
    std::uint64_t sequence = 0;
    std::int64_t offset;  // once resolved
  };
  union {
    TimePoint picked_up{};
    std::chrono::nanoseconds latency;  // once resolved
  };
  std::uint32_t flush_epoch = 0;
  bool in_flight = false;                    // the broker holds it
  bool resolved = false;                     // its outcome is decided
  bool reported = false;                     // … and published
  bool counted = true;                       // by the name's bounds
  bool possibly_persisted = false;           // an earlier attempt may have arrived
  StatusCode outcome_code = StatusCode::ok;  // once resolved
  Persistence outcome_persistence = Persistence::not_persisted;

  // Shared.
  std::atomic<std::uint32_t> references{2};
  std::atomic<State> state{State::pending};
  std::unique_ptr<DeliveryReport> report;  // written before publish(), if somebody may look at it afterwards

 private:
  explicit Record(DeliveryCallback&& to_call) noexcept : callback(std::move(to_call)) {}
  ~Record();

  [[nodiscard]] std::size_t allocated_bytes() const noexcept;

  bool needs_id_ = false;
};

/// Records in order, linked through themselves.
class RecordList {
 public:
  [[nodiscard]] bool empty() const noexcept { return oldest_ == nullptr; }
  [[nodiscard]] Record* oldest() const noexcept { return oldest_; }

  void push_newest(Record& record) noexcept {
    record.older = newest_;
    record.newer = nullptr;
    (newest_ != nullptr ? newest_->newer : oldest_) = &record;
    newest_ = &record;
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

/// Set on lanes' threads, where waiting for a lane could never end.
inline thread_local bool on_lane_thread = false;

/// Throws std::logic_error on a lane's thread: `what` may not wait there.
void refuse_on_lane_thread(const char* what);

}  // namespace action_triggers::detail
