// SPDX-License-Identifier: MIT
/// Optional: the outcome of a fire as a std::future, or that of a fire or an emit for a coroutine to co_await.
///
///     std::future<at::DeliveryReport> report = at::fire_future(dispatcher, "orders", "…");
///     at::FiredMessage fired = at::fire_async(dispatcher, "orders", "…");
///     const at::DeliveryReport report = co_await fired;
///
/// They fire at once, take what TriggerDispatcher::fire() takes, and need no thread of their own: they are callbacks.
/// So they always end, at the latest in the destructor of the dispatcher, which reports what is left as `closed`. Only
/// what was under way at a fork() never ends in the child.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <future>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

#include "action_triggers/emission.hpp"
#include "action_triggers/trigger_dispatcher.hpp"

namespace action_triggers {

/// Ready once the callbacks of the fire run. Dropping the future neither waits nor cancels anything. On a lane's thread
/// of the dispatcher get() could wait for ever: it is for other threads. Throws std::bad_alloc, as does get() if there
/// was no memory for its copy of the report.
template <class Payload>
[[nodiscard]] std::future<DeliveryReport> fire_future(TriggerDispatcher& dispatcher, std::string_view destination,
                                                      const Payload& payload) {
  std::promise<DeliveryReport> promise;
  std::future<DeliveryReport> future = promise.get_future();
  dispatcher.fire(destination, payload, [promise = std::move(promise)](const DeliveryReport& report) mutable {
    try {
      promise.set_value(report);
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  });
  return future;
}
[[nodiscard]] inline std::future<DeliveryReport> fire_future(TriggerDispatcher& dispatcher,
                                                             std::string_view destination, const Message& message) {
  return fire_future<Message>(dispatcher, destination, message);
}

namespace detail {

/// Comes once, on any thread; one coroutine may wait for it.
class Arrival {
 public:
  /// The coroutine that waits goes on here. If none does, one may go on, and end, elsewhere.
  void arrive() {
    void* const coroutine = waiting_.exchange(this);
    if (coroutine != nullptr) std::coroutine_handle<>::from_address(coroutine).resume();
  }
  [[nodiscard]] bool has_arrived() const noexcept { return waiting_.load() == this; }
  /// False: it has arrived meanwhile.
  [[nodiscard]] bool wait(std::coroutine_handle<> coroutine) noexcept {
    void* nobody = nullptr;
    return waiting_.compare_exchange_strong(nobody, coroutine.address());
  }
  /// Whoever waited is not resumed.
  void forget() noexcept {
    void* waiting = waiting_.load(std::memory_order_relaxed);
    if (waiting != nullptr && waiting != this) waiting_.compare_exchange_strong(waiting, nullptr);
  }

 private:
  std::atomic<void*> waiting_{nullptr};  // the coroutine's address; this object's own: it has arrived
};

/// To co_await a `Fired`, which has state_ (with an Arrival) and take().
template <class Fired>
class Awaiter {
 public:
  explicit Awaiter(Fired& fired) noexcept : fired_(fired) {}
  [[nodiscard]] bool await_ready() const noexcept { return fired_.state_->has_arrived(); }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
    return fired_.state_->wait(coroutine);
  }
  auto await_resume() { return fired_.take(); }

 private:
  Fired& fired_;
};

}  // namespace detail

/// One fire, to co_await once: that gives its DeliveryReport, and throws std::bad_alloc if there was no memory for it.
/// It has been fired already: several can be under way before the first is awaited.
///
/// The coroutine goes on where callbacks run: on the lane's thread, or wherever DispatcherOptions::executor takes it;
/// without a pause if the outcome is known. On the lane's thread the rules for callbacks are its rules until it
/// suspends again: be short, do not wait. It is resumed at the latest by the dispatcher's destructor.
///
/// Ownership: lives in the coroutine; a coroutine that is destroyed while it waits is not resumed, but it must not be
/// destroyed while the callback runs. Threads: one thread at a time.
class [[nodiscard]] FiredMessage {
 public:
  /// Throws as TriggerDispatcher::fire().
  template <class Payload>
  FiredMessage(TriggerDispatcher& dispatcher, std::string_view destination, const Payload& payload)
      : state_(std::make_shared<State>()) {
    dispatcher.fire(destination, payload, [state = state_](const DeliveryReport& report) { state->resolve(report); });
  }
  FiredMessage(FiredMessage&&) noexcept = default;
  FiredMessage& operator=(FiredMessage&&) = delete;
  ~FiredMessage() {
    if (state_ != nullptr) state_->forget();
  }

  /// Of a variable only: GCC 12 destroys a Message twice that is made in the same expression as a co_await.
  [[nodiscard]] detail::Awaiter<FiredMessage> operator co_await() & noexcept {
    return detail::Awaiter<FiredMessage>(*this);
  }

 private:
  friend class detail::Awaiter<FiredMessage>;
  struct State : detail::Arrival {
    void resolve(const DeliveryReport& outcome) {
      try {
        report = outcome;
      } catch (...) {  // take() says so
      }
      arrive();
    }
    std::optional<DeliveryReport> report;
  };

  DeliveryReport take() {
    if (!state_->report) throw std::bad_alloc();
    return std::move(*state_->report);
  }

  std::shared_ptr<State> state_;
};

/// One event, to co_await once: that gives its Emission when the outcomes of all targets are known, which is at once if
/// there is none. For the rest as FiredMessage; the coroutine goes on where the last callback runs.
///
///     at::EmittedEvent emitted = at::emit_async(dispatcher, "order.paid", json);
///     const at::Emission emission = co_await emitted;
class [[nodiscard]] EmittedEvent {
 public:
  /// Throws as TriggerDispatcher::emit().
  template <class Payload>
  EmittedEvent(TriggerDispatcher& dispatcher, std::string_view event, const Payload& payload)
      : state_(std::make_shared<State>()) {
    emission_ = dispatcher.emit(event, payload, [state = state_](const DeliveryReport&) { state->count(1); });
    state_->count(State::unknown - emission_.size());
  }
  EmittedEvent(EmittedEvent&&) noexcept = default;
  EmittedEvent& operator=(EmittedEvent&&) = delete;
  ~EmittedEvent() {
    if (state_ != nullptr) state_->forget();
  }

  /// Of a variable only, as FiredMessage.
  [[nodiscard]] detail::Awaiter<EmittedEvent> operator co_await() & noexcept {
    return detail::Awaiter<EmittedEvent>(*this);
  }

 private:
  friend class detail::Awaiter<EmittedEvent>;
  struct State : detail::Arrival {
    static constexpr std::size_t unknown = std::numeric_limits<std::size_t>::max() / 2;  // how many targets it has
    void count(std::size_t reports) {
      if (left.fetch_sub(reports) == reports) arrive();
    }
    std::atomic<std::size_t> left{unknown};
  };

  Emission take() { return std::move(emission_); }

  std::shared_ptr<State> state_;
  Emission emission_;
};

template <class Payload>
FiredMessage fire_async(TriggerDispatcher& dispatcher, std::string_view destination, const Payload& payload) {
  return FiredMessage(dispatcher, destination, payload);
}
inline FiredMessage fire_async(TriggerDispatcher& dispatcher, std::string_view destination, const Message& message) {
  return FiredMessage(dispatcher, destination, message);
}

template <class Payload>
EmittedEvent emit_async(TriggerDispatcher& dispatcher, std::string_view event, const Payload& payload) {
  return EmittedEvent(dispatcher, event, payload);
}
inline EmittedEvent emit_async(TriggerDispatcher& dispatcher, std::string_view event, const Message& message) {
  return EmittedEvent(dispatcher, event, message);
}

}  // namespace action_triggers
