// SPDX-License-Identifier: MIT
#include "dispatch/callbacks.hpp"

#include <chrono>
#include <ctime>
#include <string>
#include <utility>

#include "dispatch/trace_context.hpp"

namespace action_triggers::detail {
namespace {

/// Right to a few milliseconds, for a tenth of what Clock costs: enough to tell a callback that takes too long.
std::chrono::nanoseconds coarse_now() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

/// on_failure runs on this thread. A fire in it that is refused at once does not call it again: that could go on for
/// ever. Its own callback and its Delivery have the outcome.
thread_local bool in_on_failure = false;

}  // namespace

void Callbacks::log(LogLevel level, std::string_view component, std::string_view text) noexcept {
  if (!options.log) return;
  try {
    options.log(level, component, text);
  } catch (...) {
    exceptions.fetch_add(1, std::memory_order_relaxed);
  }
}

bool Callbacks::hears_failures() const noexcept { return options.on_failure && !in_on_failure; }

void Callbacks::run(Record& record, const DeliveryReport& report) noexcept {
  const bool failure = is_failure(report.status.code()) && hears_failures();
  if (!record.callback && !failure) return;
  if (options.executor) {
    try {
      record.add_reference();
      // The handle keeps the record.
      options.executor([self = shared_from_this(), delivery = record.handle(), &record, failure] {
        self->call_all(record, delivery.wait(), failure, "on the executor");
      });
      return;
    } catch (...) {  // it did not take the task: run it here rather than lose it
      exceptions.fetch_add(1, std::memory_order_relaxed);
    }
  }
  call_all(record, report, failure, "on the lane's thread, and held it up");
}

template <class Function>
void Callbacks::guarded(Function&& function) noexcept {
  try {
    function();
  } catch (...) {
    exceptions.fetch_add(1, std::memory_order_relaxed);
  }
}

void Callbacks::call_all(const Record& record, const DeliveryReport& report, bool failure, const char* where) noexcept {
  const auto begin = coarse_now();
  if (record.callback) guarded([&] { record.callback(report); });
  if (failure) {
    const bool outer = std::exchange(in_on_failure, true);
    guarded([&] { options.on_failure(report, record); });
    in_on_failure = outer;
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(coarse_now() - begin);
  if (took > options.slow_callback) {
    slow.fetch_add(1, std::memory_order_relaxed);
    try {
      log(LogLevel::warning, "dispatcher",
          "a callback for '" + report.broker + "' took " + std::to_string(took.count()) + " ms " + where);
    } catch (...) {  // no memory for the text; it is counted
    }
  }
}

TraceContext Callbacks::trace_context() noexcept {
  try {
    TraceContext context = options.trace_context();
    if (!is_printable(context.tracestate)) context.tracestate.clear();
    if (context.traceparent.empty() || is_traceparent(context.traceparent)) return context;
    tell_no_trace_context("gave a traceparent that is not W3C Trace Context's");
  } catch (const std::exception& error) {
    exceptions.fetch_add(1, std::memory_order_relaxed);
    tell_no_trace_context("has thrown", error.what());
  } catch (...) {
    exceptions.fetch_add(1, std::memory_order_relaxed);
    tell_no_trace_context("has thrown what is no std::exception");
  }
  return {};
}

/// Once: it may be so at every fire.
void Callbacks::tell_no_trace_context(const char* what, const char* why) noexcept {
  if (lacked_trace_context_.exchange(true, std::memory_order_relaxed)) return;
  try {
    const std::string reason = *why == '\0' ? what : std::string(what) + ": " + why;
    log(LogLevel::warning, "dispatcher",
        "trace_context " + reason + "; the message goes without one, and this is not logged again");
  } catch (...) {  // no memory for the text
  }
}

}  // namespace action_triggers::detail
