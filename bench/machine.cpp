// SPDX-License-Identifier: MIT
// The machine's memory: how long a reading takes that no cache answers, and a program that makes the caches forget.
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

#include "measure.hpp"

using namespace action_triggers::bench;

namespace {

constexpr std::size_t line_bytes = 64;
constexpr std::size_t mebibyte = 1 << 20;

struct alignas(line_bytes) Line {
  std::uint32_t next = 0;
  std::uint32_t written = 0;
};

/// Nanoseconds of one step from line to line through `bytes` of memory, in an order that no prefetcher knows: the
/// address of each reading is what the one before has read.
double chase(std::size_t bytes) {
  std::vector<Line> lines(bytes / line_bytes);
  std::vector<std::uint32_t> order(lines.size());
  std::iota(order.begin(), order.end(), 0U);
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  for (std::size_t i = 0; i < order.size(); ++i) lines[order[i]].next = order[(i + 1) % order.size()];
  const std::size_t steps = std::max<std::size_t>(lines.size(), 1 << 20);
  std::uint32_t at = order[0];
  const auto walk = [&] {
    for (std::size_t i = 0; i < steps; ++i) at = lines[at].next;
  };
  walk();
  const Stopwatch watch;
  walk();
  const double seconds = watch.seconds();
  if (at >= lines.size()) throw std::runtime_error("a step out of the memory");  // and so `at` is needed
  return seconds * 1e9 / double(steps);
}

std::vector<std::size_t> cores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) throw std::runtime_error("no list of cores");
  std::vector<std::size_t> found;
  for (std::size_t core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) found.push_back(core);
  }
  return found;
}

/// Lets this thread run before those that are measured, if it may: else they decide when they are disturbed.
void run_first() {
  sched_param priority{};
  sched_getparam(0, &priority);
  ++priority.sched_priority;
  sched_setscheduler(0, SCHED_FIFO, &priority);
}

/// On one core until the time is up: writes to every line of a slice, and sleeps three times as long as that
/// took. The slice is twice a usual second-level cache; all slices are more than a usual third-level cache.
void evict(std::size_t core, std::size_t bytes, Clock::time_point end) {
  constexpr std::size_t slice_bytes = 2 * mebibyte;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(core, &only);
  pthread_setaffinity_np(pthread_self(), sizeof only, &only);
  run_first();
  std::vector<Line> lines(bytes / line_bytes);
  const std::size_t slice = std::min(slice_bytes / line_bytes, lines.size());
  std::size_t from = 0;
  for (Clock::time_point now = Clock::now(); now < end;) {
    for (Line& line : std::span(lines).subspan(from, std::min(slice, lines.size() - from))) ++line.written;
    from = from + slice < lines.size() ? from + slice : 0;
    const Clock::time_point done = Clock::now();
    std::this_thread::sleep_for(3 * (done - now));
    now = Clock::now();
  }
}

nlohmann::json measure(const Options& options) {
  if (options.work == "chase") return {{"bytes", options.size}, {"nanoseconds", chase(options.size)}};
  const auto end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
  const Stopwatch watch;
  std::vector<std::thread> threads;
  for (const std::size_t core : cores()) threads.emplace_back(evict, core, options.size, end);
  for (std::thread& thread : threads) thread.join();
  return {{"cores", threads.size()},
          {"cpu_percent", watch.cpu_seconds() / watch.seconds() / double(threads.size()) * 100}};
}

}  // namespace

int main(int argc, char** argv) {
  const Options options =
      parse(argc, argv, "Measures the machine's memory, or makes it slow.",
            {{"chase", "time of a reading in SIZE bytes of memory"},
             {"evict",
              "for SECONDS, write through SIZE bytes on every core, a quarter of its time: a cache forgets the rest"}});
  try {
    return report(options, "machine", measure(options));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
