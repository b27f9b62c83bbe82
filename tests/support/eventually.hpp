// SPDX-License-Identifier: MIT
/// Waiting for what another thread, process or server does.
#pragma once

#include <chrono>
#include <thread>

namespace action_triggers::tests {

/// Until `is_so()`, which is asked again and again, or `patience` is over; whether it was.
template <class Condition>
bool eventually(Condition is_so, std::chrono::seconds patience = std::chrono::minutes(1)) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // no more than a pause between two looks
  }
  return false;
}

}  // namespace action_triggers::tests
