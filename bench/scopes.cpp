// SPDX-License-Identifier: MIT
// What a commit scope costs on the calling thread, beside fire(). bench/scopes.py compares.

#include <algorithm>
#include <cstddef>
#include <exception>
#include <string>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "instant_broker.hpp"
#include "measure.hpp"

using namespace action_triggers::bench;
namespace at = action_triggers;

namespace {

constexpr std::size_t transaction = 100;  // messages

double median(std::vector<double>& all) {
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), middle, all.end());
  return *middle;
}

/// Transactions in turn with as many fires outside of one; the lane has taken all of it before the next begins.
nlohmann::json transactions(const Options& options) {
  const at::BrokerRegistry registry = InstantBroker::registry();
  std::string brokers;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < options.names; ++i) {
    names.push_back("b" + std::to_string(i));
    brokers += (i == 0 ? "\"" : ", \"") + names.back() + R"(": {"broker_type": "none"})";
  }
  at::TriggerDispatcher dispatcher(at::parse_config(R"({"brokers": {)" + brokers + "}}", registry), registry);
  const std::string body(options.size, 'x');
  at::CommitScope scope(dispatcher);
  std::vector<double> fires;
  std::vector<double> fires_inside;
  std::vector<double> commits;
  std::vector<double> rollbacks;
  for (std::size_t done = 0; done < options.count; done += transaction) {
    const auto fire_all = [&](auto& subject) {
      const double before = thread_cpu();
      for (std::size_t i = 0; i < transaction; ++i) subject.fire(names[i % names.size()], body);
      return (thread_cpu() - before) / transaction;
    };
    const auto time_of = [](const auto& call) {
      const double before = thread_cpu();
      call();
      return thread_cpu() - before;
    };
    fires.push_back(fire_all(dispatcher));
    dispatcher.flush();
    fires_inside.push_back(fire_all(scope));
    commits.push_back(time_of([&] { scope.commit(); }));
    dispatcher.flush();
    fire_all(scope);
    rollbacks.push_back(time_of([&] { scope.rollback(); }));
  }
  return {{"fire_ns", median(fires)},
          {"fire_inside_ns", median(fires_inside)},
          {"commit_us", median(commits) / 1e3},
          {"rollback_us", median(rollbacks) / 1e3}};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options =
        parse(argc, argv, "What a commit scope costs on the calling thread.",
              {{"transactions", "COUNT messages in transactions of 100, NAMES destinations in turn"}});
    return report(options, "ours", transactions(options));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
