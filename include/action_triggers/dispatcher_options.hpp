// SPDX-License-Identifier: MIT
/// How a TriggerDispatcher calls the application back, and how long its destructor may take.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "action_triggers/delivery.hpp"
#include "action_triggers/log.hpp"
#include "action_triggers/outbound_message.hpp"

namespace action_triggers {

/// What DispatcherOptions::on_failure holds: a function of the report, or of the report and the message.
class FailureCallback {
 public:
  FailureCallback() = default;
  FailureCallback(std::nullptr_t) {}  // NOLINT(google-explicit-constructor): functions convert, as to std::function
  template <class F>
  requires std::invocable<F&, const DeliveryReport&, const MessageView&> FailureCallback(F function)  // NOLINT
      : function_(detail::as_function<void(const DeliveryReport&, const MessageView&)>(std::move(function))) {}
  template <class F>
  requires(std::invocable<F&, const DeliveryReport&> && !std::invocable<F&, const DeliveryReport&, const MessageView&>)
      FailureCallback(F function) {              // NOLINT(google-explicit-constructor)
    DeliveryCallback call(std::move(function));  // knows whether it is empty
    if (!call) return;
    function_ = [call = std::move(call)](const DeliveryReport& report, const MessageView&) { call(report); };
  }

  explicit operator bool() const noexcept { return static_cast<bool>(function_); }
  void operator()(const DeliveryReport& report, const MessageView& message) const { function_(report, message); }

 private:
  std::function<void(const DeliveryReport&, const MessageView&)> function_;
};

/// The trace that a hook runs in, as W3C Trace Context writes it.
struct TraceContext {
  std::string traceparent{};  ///< "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"; empty: there is no trace.
  std::string tracestate{};   ///< What vendors add: "vendor=value"; empty: nothing.
};

/// What these functions use must outlive the dispatcher: its destructor still calls them.
struct DispatcherOptions {
  /// Called for every report that is neither ok nor rolled_back, fire-and-forget ones included. Runs where callbacks
  /// run. A function with a second parameter also gets the message, as a view that is valid during the call; copy()
  /// keeps it:
  ///
  ///     options.on_failure = [&](const at::DeliveryReport& report, const at::MessageView& message) {
  ///       dead_letters.save(report, message.copy());
  ///     };
  ///
  /// The view of a message that was refused for its size (over 1 GiB) has the id only.
  FailureCallback on_failure{};

  LogCallback log{};

  /// Runs callbacks elsewhere than on the lane's thread: hand the task to a pool. Must not drop tasks; called from the
  /// lanes' threads. Empty: callbacks run on the lane's thread and should be short.
  std::function<void(std::function<void()> task)> executor{};

  /// How long the destructor waits for messages under way: it calls close() with this timeout.
  std::chrono::milliseconds close_timeout{5'000};

  /// A callback that takes longer is counted and logged: no other message of its lane proceeds meanwhile.
  std::chrono::milliseconds slow_callback{100};

  /// Says which trace the calling thread is in. What it gives goes with the message as the headers `traceparent` and
  /// `tracestate`, from where consumers' instrumentation goes on (docs/tracing.md). Called once in each fire() and
  /// emit(), also of commit scopes and outboxes, on the thread that calls them, and so on several at once; not for a
  /// message that has a header `traceparent` already: that one stays. Must be quick, and must not fire or emit. If it
  /// throws, or gives what is no `traceparent`, the message goes without; the first time is logged, and what it throws
  /// counts as Stats::callback_exceptions. Empty: no headers, and no cost.
  std::function<TraceContext()> trace_context{};
};

}  // namespace action_triggers
