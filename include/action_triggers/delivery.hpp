// SPDX-License-Identifier: MIT
/// The outcome of one fire: DeliveryReport is what happened, Delivery is the handle that waits for it.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <utility>

#include "action_triggers/clock.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/status.hpp"

namespace action_triggers {

namespace detail {
struct Record;

/// std::function holds what can be copied. What can only be moved is on the heap, and its copies share it.
template <class Signature, class F>
std::function<Signature> as_function(F function) {
  if constexpr (std::copy_constructible<F>) {
    return std::function<Signature>(std::move(function));  // knows whether it is empty
  } else {
    if constexpr (requires { function == nullptr; }) {
      if (function == nullptr) return nullptr;
    }
    return [shared = std::make_shared<F>(std::move(function))](auto&... arguments) { (*shared)(arguments...); };
  }
}
}  // namespace detail

/// The one outcome of one fire.
struct DeliveryReport {
  Status status;
  Persistence persistence = Persistence::not_persisted;

  /// How often the message was handed to the client library, or could not be for want of a connection.
  std::uint32_t attempts = 0;

  /// From the moment the lane picked the message up (microseconds after fire) to the outcome.
  std::chrono::nanoseconds latency{0};

  std::string message_id;  ///< Message::id, or the UUIDv7 that fire() made for it.
  std::string broker;      ///< The destination that was fired at.
  std::string trigger;     ///< The trigger that sent the message there; empty: it came from fire().

  std::int32_t partition = -1;  ///< Kafka only, and only when ok; otherwise -1.
  std::int64_t offset = -1;     ///< Kafka only, and only when ok; otherwise -1.
};

/// One line for a log: destination, message id, status, and what else is known.
ACTION_TRIGGERS_EXPORT std::ostream& operator<<(std::ostream& out, const DeliveryReport& report);

/// What fire() calls with the outcome: a function of the report, which may be one that can only be moved, such as a
/// lambda that owns a std::unique_ptr. Empty: nothing is called.
class DeliveryCallback {
 public:
  DeliveryCallback() = default;
  DeliveryCallback(std::nullptr_t) {}  // NOLINT(google-explicit-constructor): functions convert, as to std::function
  template <class F>
  requires(!std::same_as<F, DeliveryCallback> && std::invocable<F&, const DeliveryReport&>)
      DeliveryCallback(F function)  // NOLINT(google-explicit-constructor)
      : function_(detail::as_function<void(const DeliveryReport&)>(std::move(function))) {}

  explicit operator bool() const noexcept { return static_cast<bool>(function_); }
  void operator()(const DeliveryReport& report) const { function_(report); }

 private:
  std::function<void(const DeliveryReport&)> function_;
};

/// A handle on one fire. Dropping it does not cancel anything: the message is delivered all the same.
///
/// Ownership: shares the outcome with the lane; may outlive the dispatcher.
/// Threads: one thread per Delivery object; copies may be used from different threads.
class ACTION_TRIGGERS_EXPORT Delivery {
 public:
  Delivery() = default;  ///< Belongs to no fire; its members throw std::logic_error.
  Delivery(const Delivery& other) noexcept;
  Delivery(Delivery&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
  Delivery& operator=(Delivery other) noexcept {
    std::swap(record_, other.record_);
    return *this;
  }
  ~Delivery() {
    if (record_ != nullptr) release();
  }

  /// The id that consumers see and the report has: decided in fire(), so known before the outcome. Never waits for a
  /// broker. Throws std::logic_error if it belongs to no fire.
  [[nodiscard]] std::string message_id() const;

  /// Whether the outcome is known. Never blocks.
  [[nodiscard]] bool done() const;

  /// Blocks until the outcome is known, at the latest at the message's deadline (`params.timeout_secs`).
  /// The reference is valid as long as this object or a copy of it lives.
  /// What an open CommitScope holds has none before that ends; on the thread that fired it there this throws
  /// std::logic_error. Throws std::logic_error, unless done(), in a callback on a lane's thread of the same dispatcher,
  /// where waiting could never end, and inside fire() or emit() (a function for events, a callback of a fire that was
  /// refused), where a reload would hold it up.
  const DeliveryReport& wait() const&;
  DeliveryReport wait() &&;  ///< By value: `const auto& report = dispatcher.fire(…).wait();` must not dangle.

  /// As wait(), for at most `timeout`; nullptr if the outcome is not known by then.
  template <class Rep, class Period>
  [[nodiscard]] const DeliveryReport* wait_for(std::chrono::duration<Rep, Period> timeout) const {
    return wait_at_most(saturated(timeout));
  }
  template <class AnyClock, class Duration>
  [[nodiscard]] const DeliveryReport* wait_until(std::chrono::time_point<AnyClock, Duration> when) const {
    const auto now = AnyClock::now();
    return wait_at_most(when > now ? saturated(when - now) : std::chrono::nanoseconds::zero());
  }

 private:
  friend struct detail::Record;
  explicit Delivery(detail::Record* record) noexcept : record_(record) {}
  [[nodiscard]] const DeliveryReport* wait_at_most(std::chrono::nanoseconds timeout) const;
  [[nodiscard]] detail::Record& record() const;
  void refuse_to_wait(const char* what) const;
  void release() noexcept;

  detail::Record* record_ = nullptr;
};

}  // namespace action_triggers
