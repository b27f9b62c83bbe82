// SPDX-License-Identifier: MIT
// Runs schedules of the relays' simulation. Usage: action_triggers_relay_simulator [COUNT [FIRST_SEED]]; with a count
// of 1 it prints all that happened. Exit status 1 and the first bad seed's last events if a promise was broken.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "sim/relay_simulation.hpp"

using action_triggers::tests::RelaySimulationResult;
using action_triggers::tests::simulate_relays;

namespace {

constexpr std::size_t shown = 60;
constexpr std::uint64_t replayed = 50;  // every so many seeds are run twice

void print_trace(std::uint64_t seed, std::size_t most) {
  std::vector<std::string> trace;
  static_cast<void>(simulate_relays(seed, &trace));
  for (std::size_t i = trace.size() - std::min(trace.size(), most); i < trace.size(); ++i) std::puts(trace[i].c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 2'000;
  const std::uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  if (count == 0) {
    std::fprintf(stderr, "usage: %s [COUNT [FIRST_SEED]]\n", argv[0]);
    return 2;
  }
  RelaySimulationResult sum;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const RelaySimulationResult result = simulate_relays(seed);
    if (seed % replayed == 0 && simulate_relays(seed).trace != result.trace) {
      std::printf("seed %llu does not replay identically\n", static_cast<unsigned long long>(seed));
      return 1;
    }
    if (!result.violations.empty() || count == 1) print_trace(seed, count == 1 ? std::size_t{0} - 1 : shown);
    if (!result.violations.empty()) {
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), result.violations.front().c_str());
      return 1;
    }
    sum.committed += result.committed;
    sum.copies += result.copies;
    sum.owners += result.owners;
    sum.events += result.events;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%llu schedules, 0 violations: %llu committed, %llu copies, %llu owners, %llu events; %.1f s\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(sum.committed),
              static_cast<unsigned long long>(sum.copies), static_cast<unsigned long long>(sum.owners),
              static_cast<unsigned long long>(sum.events), seconds);
  return 0;
}
