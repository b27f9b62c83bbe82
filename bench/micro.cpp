// SPDX-License-Identifier: MIT
// What a message costs in the long run, hook and lane together, by threads, names and sizes; Google Benchmark keeps the
// time.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "instant_broker.hpp"

namespace {

namespace at = action_triggers;

/// A dispatcher whose broker confirms at once, and its names.
struct Subject {
  explicit Subject(std::size_t count) {
    const at::BrokerRegistry registry = at::bench::InstantBroker::registry();
    std::string brokers;
    for (std::size_t i = 0; i < count; ++i) {
      names.push_back("broker-" + std::to_string(i));
      brokers += (i == 0 ? "\"" : ", \"") + names.back() +
                 R"(": {"broker_type": "none", "params": {"max_queued_messages": 100000, "max_queued_bytes": 67108864,
                    "overflow": "block", "max_block_ms": 60000}})";
    }
    dispatcher = std::make_unique<at::TriggerDispatcher>(
        at::parse_config(R"({"brokers": {)" + brokers + "}}", registry), registry);
  }
  std::vector<std::string> names;
  std::unique_ptr<at::TriggerDispatcher> dispatcher;
};

std::unique_ptr<Subject> subject;  // shared by a benchmark's threads

void fire(benchmark::State& state) {
  const auto names = static_cast<std::size_t>(state.range(0));
  const std::string body(static_cast<std::size_t>(state.range(1)), 'x');
  std::size_t i = static_cast<std::size_t>(state.thread_index());
  for (auto _ : state) {
    subject->dispatcher->fire(subject->names[i++ % names], body);
  }
  state.SetBytesProcessed(state.iterations() * state.range(1));
}

void set_up(const benchmark::State& state) {
  subject = std::make_unique<Subject>(static_cast<std::size_t>(state.range(0)));
}
void tear_down(const benchmark::State&) { subject.reset(); }

void with_subject(benchmark::internal::Benchmark* of) {
  of->Setup(set_up)->Teardown(tear_down)->ArgNames({"names", "bytes"})->UseRealTime();
}

BENCHMARK(fire)->Apply(with_subject)->Args({1, 256})->ThreadRange(1, 64);
BENCHMARK(fire)->Apply(with_subject)->Args({10, 256})->Args({100, 256})->Args({1000, 256});
BENCHMARK(fire)
    ->Apply(with_subject)
    ->Args({1, 64})
    ->Args({1, 1024})
    ->Args({1, 16 * 1024})
    ->Args({1, 128 * 1024})
    ->Args({1, 1024 * 1024});

}  // namespace
