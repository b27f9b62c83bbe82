// SPDX-License-Identifier: MIT
/// The clock of deadlines, backoffs and pauses: it never goes back, and does not follow the wall clock.
#pragma once

#include <chrono>

namespace action_triggers {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

}  // namespace action_triggers
