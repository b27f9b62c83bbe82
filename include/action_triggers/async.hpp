// SPDX-License-Identifier: MIT
/// Optional: the outcome of a fire as a std::future, or for a coroutine to co_await.
///
///     std::future<at::DeliveryReport> report = at::fire_future(dispatcher, "orders", "…");
///     at::FiredMessage fired = at::fire_async(dispatcher, "orders", "…");
///     const at::DeliveryReport report = co_await fired;
///
/// Both fire at once, take what TriggerDispatcher::fire() takes, and need no thread of their own: they are callbacks.
/// So they always end, at the latest in the destructor of the dispatcher, which reports what is left as `closed`. Only
/// what was under way at a fork() never ends in the child.
#pragma once

#include <exception>
#include <future>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "action_triggers/trigger_dispatcher.hpp"

#ifdef __cpp_impl_coroutine
#include <atomic>
#include <coroutine>
#include <optional>
#endif

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

#ifdef __cpp_impl_coroutine

/// One fire, to co_await once. It has been fired already: several can be under way before the first is awaited.
///
/// The coroutine goes on where callbacks run: on the lane's thread, or wherever DispatcherOptions::executor takes it;
/// without a pause if the outcome is known. On the lane's thread the rules for callbacks are its rules until it
/// suspends again: be short, do not wait. It is resumed at the latest by the dispatcher's destructor.
///
/// Ownership: lives in the coroutine; a coroutine that is destroyed while it waits is not resumed, but it must not be
/// destroyed while the callback runs. Threads: one thread at a time.
class [[nodiscard]] FiredMessage {
 public:
  class Awaiter;

  /// Throws as TriggerDispatcher::fire().
  template <class Payload>
  FiredMessage(TriggerDispatcher& dispatcher, std::string_view destination, const Payload& payload)
      : state_(std::make_shared<State>()) {
    dispatcher.fire(destination, payload, [state = state_](const DeliveryReport& report) { state->resolve(report); });
  }
  FiredMessage(FiredMessage&&) noexcept = default;
  FiredMessage& operator=(FiredMessage&&) = delete;
  ~FiredMessage() {
    void* waiting = state_ == nullptr ? nullptr : state_->waiting.load(std::memory_order_relaxed);
    if (waiting != nullptr && waiting != state_.get()) state_->waiting.compare_exchange_strong(waiting, nullptr);
  }

  /// Of a variable only: GCC 12 destroys a Message twice that is made in the same expression as a co_await.
  [[nodiscard]] Awaiter operator co_await() & noexcept;

 private:
  struct State {
    void resolve(const DeliveryReport& outcome) {
      try {
        report = outcome;
      } catch (...) {  // await_resume() says so
      }
      // Afterwards the coroutine goes on, and may end, elsewhere; unless it waits, and is resumed here.
      void* const coroutine = waiting.exchange(this);
      if (coroutine != nullptr) std::coroutine_handle<>::from_address(coroutine).resume();
    }

    std::atomic<void*> waiting{nullptr};  // the coroutine's address; this object's own: the outcome is known
    std::optional<DeliveryReport> report;
  };

  std::shared_ptr<State> state_;
};

class FiredMessage::Awaiter {
 public:
  [[nodiscard]] bool await_ready() const noexcept { return state_->waiting.load() == state_; }
  /// False: the outcome came meanwhile.
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> coroutine) noexcept {
    void* nobody = nullptr;
    return state_->waiting.compare_exchange_strong(nobody, coroutine.address());
  }
  /// Throws std::bad_alloc if there was no memory for the report.
  DeliveryReport await_resume() {
    if (!state_->report) throw std::bad_alloc();
    return std::move(*state_->report);
  }

 private:
  friend class FiredMessage;
  explicit Awaiter(State* state) noexcept : state_(state) {}

  State* const state_;
};

inline FiredMessage::Awaiter FiredMessage::operator co_await() & noexcept { return Awaiter(state_.get()); }

template <class Payload>
FiredMessage fire_async(TriggerDispatcher& dispatcher, std::string_view destination, const Payload& payload) {
  return FiredMessage(dispatcher, destination, payload);
}
inline FiredMessage fire_async(TriggerDispatcher& dispatcher, std::string_view destination, const Message& message) {
  return FiredMessage(dispatcher, destination, message);
}

#endif

}  // namespace action_triggers
