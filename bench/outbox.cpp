// SPDX-License-Identifier: MIT
#include "outbox.hpp"

#include <algorithm>
#include <chrono>
#include <random>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>

namespace action_triggers::bench {
namespace {

class NotingBroker final : public Broker {
 public:
  explicit NotingBroker(std::shared_ptr<Arrivals> arrivals) : arrivals_(std::move(arrivals)) {}

  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override {
    for (const OutboundMessage* message : batch) events.complete(*message, Outcome::persisted());
    arrivals_->note(batch.size());
    return batch.size();
  }

 private:
  const std::shared_ptr<Arrivals> arrivals_;
};

std::uint32_t nanoseconds(Clock::duration duration) {
  // A relay may be faster than the return of the commit that told it.
  return static_cast<std::uint32_t>(std::max(duration, Clock::duration::zero()).count());
}

double median_us(std::vector<std::uint32_t>& samples) {
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  return double(*middle) / 1e3;
}

}  // namespace

void Arrivals::note(std::size_t messages) {
  const std::lock_guard lock(mutex_);
  last_ = Clock::now();
  count_ += messages;
  changed_.notify_all();
}

std::size_t Arrivals::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

Clock::time_point Arrivals::await(std::size_t count) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, std::chrono::minutes(1), [&] { return count_ >= count; })) {
    throw std::runtime_error("a message did not come");
  }
  return last_;
}

BrokerRegistry registry_with(std::shared_ptr<Arrivals> arrivals) {
  BrokerRegistry registry = BrokerRegistry::builtin();
  registry.add("none", [arrivals = std::move(arrivals)](const BrokerConfig&) {
    return std::make_unique<NotingBroker>(arrivals);
  });
  return registry;
}

Config outbox_config(const Options& options, const nlohmann::json& outbox, const BrokerRegistry& registry) {
  nlohmann::json broker = {{"broker_type", options.broker_type.empty() ? "none" : options.broker_type}};
  if (options.broker_type == "kafka") {
    broker["conn_details"] = {{"bootstrap_servers", options.broker}};
    broker["params"] = {{"topic", options.destination}};
  }
  const nlohmann::json config = {{"brokers", {{"bench", broker}}}, {"outbox", outbox}};
  return parse_config(config.dump(), registry);
}

nlohmann::json in_turn(std::size_t count, const std::function<void(std::size_t)>& ours,
                       const std::function<void(std::size_t)>& by_hand) {
  std::vector<std::uint32_t> our_times;
  std::vector<std::uint32_t> their_times;
  const auto time = [](const auto& call, std::size_t i) {
    const Clock::time_point begin = Clock::now();
    call(i);
    return nanoseconds(Clock::now() - begin);
  };
  for (std::size_t i = 0; i < count; ++i) {
    our_times.push_back(time(ours, i));
    their_times.push_back(time(by_hand, i));
  }
  return {{"ours_us", median_us(our_times)}, {"by_hand_us", median_us(their_times)}};
}

nlohmann::json time_commits(const Options& options, Arrivals& arrivals, const std::function<void()>& commit) {
  std::mt19937 random(20);
  std::uniform_int_distribution<int> pause(options.pause_ms * 3 / 4,
                                           options.pause_ms * 5 / 4);  // not in step with a poll
  std::vector<std::uint32_t> samples;
  const std::size_t before = arrivals.count();
  for (std::size_t i = 0; i < options.count; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(pause(random)));
    commit();
    const Clock::time_point committed = Clock::now();
    samples.push_back(nanoseconds(arrivals.await(before + i + 1) - committed));
  }
  std::sort(samples.begin(), samples.end());
  return quantiles(samples);
}

}  // namespace action_triggers::bench
