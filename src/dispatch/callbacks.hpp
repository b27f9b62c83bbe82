// SPDX-License-Identifier: MIT
/// What a dispatcher calls in the application: message callbacks, on_failure, the log, the executor, trace_context.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "action_triggers/dispatcher_options.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

/// Whether it is one for on_failure and for what counts failures: a rollback is what the application asked for.
constexpr bool is_failure(StatusCode code) noexcept {
  return code != StatusCode::ok && code != StatusCode::rolled_back;
}

/// Shared by all lanes of a dispatcher, and by tasks on the executor: lives as long as the last of them.
class Callbacks : public std::enable_shared_from_this<Callbacks> {
 public:
  explicit Callbacks(DispatcherOptions given) : options(std::move(given)) {}

  void log(LogLevel level, std::string_view component, std::string_view text) noexcept;

  /// Whether a failure that comes about on this thread, in fire(), would be told to on_failure.
  [[nodiscard]] bool hears_failures() const noexcept;

  /// Runs the message's callback and on_failure, here or on the executor. on_failure is not called for a fire
  /// inside on_failure that is refused at once. Throws nothing.
  void run(Record& record, const DeliveryReport& report) noexcept;

  /// Of the hook that runs on this thread: what options.trace_context gives, if it may be sent; else nothing. Only if
  /// that is set.
  [[nodiscard]] TraceContext trace_context() noexcept;

  const DispatcherOptions options;
  std::atomic<std::uint64_t> exceptions{0};
  std::atomic<std::uint64_t> slow{0};

 private:
  void call_all(const Record& record, const DeliveryReport& report, bool failure, const char* where) noexcept;
  template <class Function>
  void guarded(Function&& function) noexcept;
  void tell_no_trace_context(const char* what, const char* why = "") noexcept;

  std::atomic<bool> lacked_trace_context_{false};
};

}  // namespace action_triggers::detail
