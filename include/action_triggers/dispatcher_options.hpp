// SPDX-License-Identifier: MIT
/// How a TriggerDispatcher calls the application back, and how long its destructor may take.
#pragma once

#include <chrono>
#include <functional>

#include "action_triggers/delivery.hpp"
#include "action_triggers/log.hpp"

namespace action_triggers {

struct DispatcherOptions {
  /// Called for every report that is not ok, fire-and-forget ones included. Runs where callbacks run.
  DeliveryCallback on_failure{};

  LogCallback log{};

  /// Runs callbacks elsewhere than on the lane's thread: hand the task to a pool. Must not drop tasks; called from the
  /// lanes' threads. Empty: callbacks run on the lane's thread and should be short.
  std::function<void(std::function<void()> task)> executor{};

  /// How long the destructor waits for messages under way: it calls close() with this timeout.
  std::chrono::milliseconds close_timeout{5'000};

  /// A callback that takes longer is counted and logged: no other message of its lane proceeds meanwhile.
  std::chrono::milliseconds slow_callback{100};
};

}  // namespace action_triggers
