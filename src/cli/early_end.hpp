// SPDX-License-Identifier: MIT
/// How commands with a dispatcher begin and end: its log, and what is left after a signal.
#pragma once

#include <functional>

#include "action_triggers/trigger_dispatcher.hpp"
#include "cli/interrupts.hpp"

namespace action_triggers::cli {

/// With the log on standard error, if it is wanted.
DispatcherOptions dispatcher_options(bool verbose);

/// After a signal: closes, says what was left, and ends the process in less than a second, whatever a lane is doing.
[[noreturn]] void end_early(TriggerDispatcher& dispatcher, const Interrupts& interrupts,
                            const std::function<void()>& print_rest);

}  // namespace action_triggers::cli
