// SPDX-License-Identifier: MIT
/// The lane's logic against a simulated broker, in virtual time: one seed is one random schedule of fires,
/// confirmations, refusals, disconnects, stalls, deadlines, flushes, re-entrant fires and a close. The same seed
/// replays identically.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace action_triggers::tests {

struct SimulationResult {
  std::vector<std::string> violations;  // of what docs/delivery.md promises; empty: none
  std::uint64_t trace = 0;              // hash of all that happened
  std::uint64_t fired = 0;
  std::uint64_t delivered = 0;
  std::uint64_t failed = 0;
  std::uint64_t duplicates = 0;  // second and further arrivals at the broker
  std::uint64_t disconnects = 0;
};

/// `trace_text`, if not nullptr, receives what happened, a line each.
SimulationResult simulate(std::uint64_t seed, std::vector<std::string>* trace_text = nullptr);

}  // namespace action_triggers::tests
