// SPDX-License-Identifier: MIT
/// A load while something goes wrong.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "faults/ledger.hpp"
#include "live/support.hpp"

namespace action_triggers::tests {

/// max_in_flight by default. The idempotent producer's own retries do not duplicate, as long as the broker knows the
/// producer and the client lives. Otherwise all of it may come twice.
constexpr std::size_t kafka_window = 40'000;
/// The same on RabbitMQ, where what was not confirmed on a lost connection may come twice.
constexpr std::size_t rabbitmq_window = 1'000;

/// Parameters with room and time for every fault, on a machine that is slow besides: nothing is given up.
inline const std::string plenty =
    R"("timeout_secs": 900, "max_queued_messages": 10000000, "max_queued_bytes": 8000000000)";

/// Parameters of a destination that gives up soon: a fault leaves it with failures, and what is said of each is to be
/// true as well.
inline const std::string hasty =
    R"("timeout_secs": 0.5, "retry": {"max_attempts": 3}, "max_in_flight": 200, "max_queued_messages": 10000000)";
/// What such a destination may say.
inline const std::vector<StatusCode> given_up{StatusCode::timed_out, StatusCode::unavailable, StatusCode::rejected};

/// Connects again at once, more or less.
inline const std::string soon = R"(, "retry": {"initial_backoff_ms": 5, "max_backoff_ms": 20})";

/// What the client says, for when there is something to explain.
class ClientLog {
 public:
  DispatcherOptions options() {
    DispatcherOptions options;
    options.log = [this](LogLevel, std::string_view, std::string_view text) {
      const std::lock_guard lock(mutex_);
      text_.append(text).append("\n");
    };
    return options;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::mutex mutex_;
  std::string text_;
};

/// Counts the connections that a dispatcher has lost.
struct LostConnections {
  std::atomic<std::size_t> count{0};

  DispatcherOptions options() {
    DispatcherOptions options;
    options.log = [this](LogLevel, std::string_view, std::string_view text) {
      if (text.starts_with("connection lost")) ++count;
    };
    return options;
  }
};

/// Fires a message every `period` from a thread of its own until it is stopped; `shape_of` says what the n-th is like.
/// What a slow machine takes longer for, it has more messages for: little load keeps that bounded.
class Load {
 public:
  Load(
      TriggerDispatcher& dispatcher, Ledger& ledger, std::string name,
      std::chrono::microseconds period = std::chrono::milliseconds(1),
      Ledger::Shape (*shape_of)(std::size_t) = [](std::size_t) { return Ledger::Shape(); }) {
    thread_ = std::thread([this, &dispatcher, &ledger, name = std::move(name), period, shape_of] {
      auto next = std::chrono::steady_clock::now();
      for (std::size_t n = 0; !stop_; ++n) {
        ledger.fire(dispatcher, name, shape_of(n));
        next += period;
        std::this_thread::sleep_until(next);  // the pace of the load, not a wait for anything
      }
    });
  }
  ~Load() { stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// Looks at every report until `condition` holds, and sometimes between them: not all conditions are about messages.
/// False after `patience`.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::seconds patience = std::chrono::seconds(180)) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    Ledger::wait_for_a_report(std::chrono::milliseconds(100));
  }
  return true;
}

/// Fires at "b" while `during` does its worst and puts it right again, which is the moment `healed`. Before and after
/// it messages must get through; in the end every one has its outcome. `other_ledger`: fires at "hasty" as well.
inline void under_load(TriggerDispatcher& dispatcher, Ledger& ledger, const std::function<void()>& during,
                       Ledger::Clock::time_point& healed,
                       std::chrono::microseconds period = std::chrono::milliseconds(1),
                       Ledger* other_ledger = nullptr) {
  Load load(dispatcher, ledger, "b", period);
  std::optional<Load> other;
  if (other_ledger != nullptr) other.emplace(dispatcher, *other_ledger, "hasty", 2 * period);
  ASSERT_TRUE(eventually([&] { return ledger.count(StatusCode::ok) > 200; }));
  during();
  healed = Ledger::Clock::now();
  ASSERT_TRUE(eventually([&] { return ledger.ok_fired_after(healed) > 200; }))
      << dispatcher.stats().brokers["b"].last_error;
  load.stop();
  if (other) other->stop();
  ASSERT_TRUE(dispatcher.flush(300s));
}

}  // namespace action_triggers::tests
