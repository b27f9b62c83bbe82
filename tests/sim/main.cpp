// SPDX-License-Identifier: MIT
// Runs schedules of the simulation. Usage: action_triggers_simulator [COUNT [FIRST_SEED]]; with a count of 1 it prints
// all that happened. Exit status 1 and the first bad seed's last events if a promise was broken.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "sim/simulation.hpp"

using action_triggers::tests::SimulationResult;

namespace {

constexpr std::size_t shown = 60;
constexpr std::uint64_t replayed = 50;  // every so many seeds are run twice

void print(const std::vector<std::string>& trace, std::size_t most) {
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
  SimulationResult sum;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const SimulationResult result = action_triggers::tests::simulate(seed);
    if (seed % replayed == 0 && action_triggers::tests::simulate(seed).trace != result.trace) {
      std::printf("seed %llu does not replay identically\n", static_cast<unsigned long long>(seed));
      return 1;
    }
    if (!result.violations.empty() || count == 1) {
      std::vector<std::string> trace;
      static_cast<void>(action_triggers::tests::simulate(seed, &trace));
      print(trace, count == 1 ? trace.size() : shown);
    }
    if (!result.violations.empty()) {
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), result.violations.front().c_str());
      return 1;
    }
    sum.fired += result.fired;
    sum.delivered += result.delivered;
    sum.failed += result.failed;
    sum.duplicates += result.duplicates;
    sum.disconnects += result.disconnects;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf(
      "%llu schedules, 0 violations: %llu fired, %llu ok, %llu failed, %llu duplicates, %llu disconnects; %.1f s\n",
      static_cast<unsigned long long>(count), static_cast<unsigned long long>(sum.fired),
      static_cast<unsigned long long>(sum.delivered), static_cast<unsigned long long>(sum.failed),
      static_cast<unsigned long long>(sum.duplicates), static_cast<unsigned long long>(sum.disconnects), seconds);
  return 0;
}
