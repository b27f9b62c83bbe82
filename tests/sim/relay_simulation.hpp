// SPDX-License-Identifier: MIT
/// The relay's logic in virtual time, against models of a database, of brokers and of processes: one seed is one random
/// schedule of commits in any order, kills, pauses beyond the lease, slow and broken destinations, dead and poisoned
/// messages, failing calls, lost writes and changes of the configuration. The same seed replays identically.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace action_triggers::tests {

struct RelaySimulationResult {
  std::vector<std::string> violations;  // empty: none
  std::uint64_t trace = 0;              // hash of all that happened
  std::uint64_t committed = 0;
  std::uint64_t copies = 0;  // second and further arrivals
  std::uint64_t owners = 0;  // leases taken
  std::uint64_t events = 0;
};

/// `trace_text`, if not nullptr, receives what happened, a line each.
RelaySimulationResult simulate_relays(std::uint64_t seed, std::vector<std::string>* trace_text = nullptr);

}  // namespace action_triggers::tests
