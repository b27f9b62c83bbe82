/// The dispatcher: fire() from a hook, and learn what became of it.
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "action_triggers/broker.hpp"
#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/delivery.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/message.hpp"

namespace action_triggers {

/// How fire() accepts an application's own payload type T: specialise it with a static `Message to_message(const T&)`.
/// json.hpp does so for nlohmann::json.
template <class T>
struct MessageConverter;

template <class T>
concept ConvertibleToMessage = requires(const T& value) {
  { MessageConverter<T>::to_message(value) } -> std::same_as<Message>;
};

struct DispatcherOptions {
  /// Called for every report that is not ok, fire-and-forget ones included. Runs where callbacks run.
  DeliveryCallback on_failure{};

  LogHook log{};

  /// Runs callbacks elsewhere than on the lane's thread: hand the task to a pool. Must not drop tasks; called from
  /// lanes' threads. Empty: callbacks run on the lane's thread and should be short.
  std::function<void(std::function<void()> task)> executor{};

  /// What the destructor grants close().
  std::chrono::milliseconds close_timeout{5'000};

  /// A callback that takes longer is counted and logged: it holds up its lane.
  std::chrono::milliseconds slow_callback{100};
};

/// One named broker since the dispatcher was made. Counts of messages unless said otherwise.
struct BrokerStats {
  std::uint64_t fired = 0;                                   ///< Every fire() at this name, refused ones included.
  std::uint64_t delivered = 0;                               ///< Reported ok.
  std::uint64_t failed = 0;                                  ///< Reported not ok.
  std::array<std::uint64_t, status_code_count> by_status{};  ///< Index: StatusCode.
  std::uint64_t retried = 0;                                 ///< Handed to the client again.
  std::uint64_t late_outcomes = 0;  ///< The client's word came after the deadline had been reported.
  std::uint64_t queued = 0;         ///< Not yet reported, or still held by the client: what the bounds count.
  std::uint64_t queued_bytes = 0;
  std::uint64_t in_flight = 0;  ///< Of those, handed to the client.
  ConnectionState state = ConnectionState::connecting;
  std::string last_error;  ///< The latest failure of a message or of the connection; empty if none.

  /// Latency of delivered messages (see DeliveryReport::latency); within 12.5 %. Zero if none.
  std::chrono::nanoseconds latency_p50{0};
  std::chrono::nanoseconds latency_p99{0};
  std::chrono::nanoseconds latency_max{0};
};

struct Stats {
  std::map<std::string, BrokerStats, std::less<>> brokers;
  std::uint64_t unknown_broker = 0;       ///< Fires at names that the configuration does not have.
  std::uint64_t callback_exceptions = 0;  ///< Thrown by callbacks, on_failure, the executor or the log hook; caught.
  std::uint64_t slow_callbacks = 0;
  std::size_t lanes = 0;
};

/// What close() found. delivered + failed + abandoned is what was waiting when close() began.
struct CloseReport {
  std::size_t delivered = 0;
  std::size_t failed = 0;
  std::size_t abandoned = 0;  ///< Ran out of time: reported `closed`, each one.
  std::map<std::string, std::size_t, std::less<>> abandoned_by_broker;

  [[nodiscard]] bool complete() const noexcept { return failed == 0 && abandoned == 0; }
};

/// Sends what is fired to the named broker, in the background, with exactly one DeliveryReport per fire.
///
/// Threads: every member from any thread; see each member for what is allowed inside a callback. The destructor must
/// not run while another thread is still inside a member.
///
/// In a child of fork() the dispatcher is dead: fire() reports `closed`, flush() is false, close() and the destructor
/// return at once, and the parent's connections are left alone.
///
/// Callbacks run on the lane's thread (or DispatcherOptions::executor), outside all locks; exceptions in them are
/// caught and counted. Only an outcome that is known at once (no such broker, closed, queue_full) calls back inside
/// fire().
class ACTION_TRIGGERS_EXPORT TriggerDispatcher {
 public:
  /// Starts one lane per distinct connection and begins to connect. Does not wait for brokers: unreachable ones show in
  /// stats() and in reports. Throws std::runtime_error if a lane's broker cannot be made, std::system_error if a thread
  /// cannot be started.
  explicit TriggerDispatcher(Config config);
  TriggerDispatcher(Config config, const BrokerRegistry& registry, DispatcherOptions options = {});

  TriggerDispatcher(const TriggerDispatcher&) = delete;
  TriggerDispatcher& operator=(const TriggerDispatcher&) = delete;

  /// close(options.close_timeout), then frees the connections. Returns after close_timeout + 2 s at the latest, plus
  /// the time that a callback still running takes. On a lane's own thread (in a callback) it does not wait for that
  /// lane.
  ~TriggerDispatcher();

  /// Copies the message to the named broker's lane and returns; never waits for a broker (Overflow::block waits for
  /// room, at most max_block), never throws broker trouble. Throws std::bad_alloc only, and then nothing was fired.
  ///
  /// If one fire() returned before another one began, on whatever threads, they are sent in that order.
  Delivery fire(std::string_view broker, const Message& message);
  Delivery fire(std::string_view broker, const Message& message, DeliveryCallback callback);
  Delivery fire(std::string_view broker, std::string_view body);
  Delivery fire(std::string_view broker, std::string_view body, DeliveryCallback callback);

  /// The same for a payload type that has a MessageConverter.
  template <ConvertibleToMessage T>
  Delivery fire(std::string_view broker, const T& payload) {
    return fire(broker, MessageConverter<T>::to_message(payload));
  }
  template <ConvertibleToMessage T>
  Delivery fire(std::string_view broker, const T& payload, DeliveryCallback callback) {
    return fire(broker, MessageConverter<T>::to_message(payload), std::move(callback));
  }

  /// Waits until everything fired before the call has its outcome and its callbacks have run (or were handed to the
  /// executor). False: `timeout` came first. In a callback: throws std::logic_error.
  bool flush(std::chrono::nanoseconds timeout);

  /// Refuses further fires (they report `closed`), waits up to `timeout` for what is under way, then reports the rest
  /// as `closed`. Returns `timeout` + 2 s later at most. A second call returns an empty report. In a callback: throws
  /// std::logic_error.
  CloseReport close(std::chrono::nanoseconds timeout);

  /// A snapshot; counters of one broker may be a few messages apart while traffic flows.
  [[nodiscard]] Stats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace action_triggers
