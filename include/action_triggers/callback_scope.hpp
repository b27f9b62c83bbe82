// SPDX-License-Identifier: MIT
/// For callbacks that use an object which may end before the dispatcher.
#pragma once

#include <concepts>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

namespace action_triggers {

/// The last member of the object that callbacks capture, so that it ends first. What goes through it is not called any
/// more afterwards:
///
///     dispatcher.fire("orders", message, callbacks_([this](const at::DeliveryReport& report) { … }));
///
/// Threads: the functions may be called from any thread, also at once. The destructor waits for those that are running,
/// so it must not run inside one of them, nor while its thread holds a lock that they need.
class CallbackScope {
 public:
  CallbackScope() = default;
  CallbackScope(const CallbackScope&) = delete;
  CallbackScope& operator=(const CallbackScope&) = delete;
  ~CallbackScope() {
    const std::unique_lock none_is_running(state_->mutex);
    state_->ended = true;
  }

  /// The function, as long as the scope lives; nothing afterwards. For functions that return nothing.
  template <class F>
  [[nodiscard]] auto operator()(F function) const {
    return [ state = state_, call = std::move(function) ]<class... Arguments>(
               const Arguments&... arguments) mutable -> void requires std::invocable<F&, const Arguments&...> {
      const std::shared_lock lock(state->mutex);
      if (!state->ended) call(arguments...);
    };
  }

 private:
  struct State {
    std::shared_mutex mutex;
    bool ended = false;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace action_triggers
