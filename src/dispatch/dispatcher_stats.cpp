// SPDX-License-Identifier: MIT
// Dispatcher::stats().
#include <chrono>
#include <set>
#include <utility>

#include "dispatch/dispatcher.hpp"
#include "dispatch/lane_thread.hpp"
#include "dispatch/stats_of.hpp"

namespace action_triggers::detail {
namespace {

// For lanes to say how old their messages are: all but those that a callback or a client library holds up need less.
constexpr std::chrono::milliseconds patience_for_ages{50};

/// Adds the connection of a lane that has these destinations.
void add_connection(Stats& stats, const Lane& lane, const std::set<std::string_view>& destinations) {
  ConnectionStats connection = stats_of(lane, {destinations.begin(), destinations.end()});
  for (const std::string& name : connection.destinations) {
    BrokerStats& broker = stats.brokers.find(name)->second;
    broker.connection = connection.name;
    connection.broker_type = broker.broker_type;
  }
  stats.connections.push_back(std::move(connection));
}

}  // namespace

/// Has the lanes write down since when what they hold waits: only those that hold something, so the others sleep on.
void Dispatcher::ask_for_ages() const {
  if (on_lane_thread_of(*callbacks_)) return;  // two lanes could wait for one another
  std::vector<std::shared_ptr<Lane>> busy;
  {
    const std::lock_guard lock(mutex_);
    std::set<const Lane*> holding;
    for (const auto* some : {&destinations_, &removed_}) {
      for (const auto& destination : *some) {
        if (destination->is_gone.load(std::memory_order_acquire)) continue;
        if (destination->unreported() != 0) {
          holding.insert(destination->lane);
        } else {  // what comes next does not wait since what was there before
          destination->oldest_since.store(TimePoint::max(), std::memory_order_relaxed);
        }
      }
    }
    for (const LaneEntry& entry : lanes_) {
      if (holding.contains(entry.lane.get())) busy.push_back(entry.lane);
    }
    for (const auto& lane : ended_lanes_) {  // they end when they have delivered what they hold
      if (holding.contains(lane.get())) busy.push_back(lane);
    }
  }
  std::vector<std::uint32_t> asked;
  asked.reserve(busy.size());
  for (const auto& lane : busy) asked.push_back(lane->ask_for_ages());
  const TimePoint deadline = Clock::now() + patience_for_ages;
  for (std::size_t i = 0; i < busy.size(); ++i) busy[i]->wait_for_ages(asked[i], deadline);
}

Stats Dispatcher::stats() const {
  Stats stats;
  if (is_in_child()) return stats;
  ask_for_ages();
  stats.taken_at = WallTime::clock::now();
  const std::lock_guard lock(mutex_);
  std::map<std::string_view, std::vector<const Destination*>> names;
  for (const auto& destination : destinations_) names[destination->name].push_back(destination.get());
  for (const auto& destination : removed_) {  // what they still hold counts for those that replace them
    const auto same = names.find(destination->name);
    if (same != names.end()) same->second.push_back(destination.get());
  }
  for (const auto& [name, destinations] : names) {
    const auto past = past_.find(name);
    stats.brokers.emplace(name, stats_of(destinations, past == past_.end() ? BrokerStats() : past->second));
  }
  stats.unknown_broker = unknown_broker_.load(std::memory_order_relaxed);
  stats.callback_exceptions = callbacks_->exceptions.load(std::memory_order_relaxed);
  stats.slow_callbacks = callbacks_->slow.load(std::memory_order_relaxed);
  stats.lanes = lanes_.size();
  std::map<const Lane*, std::set<std::string_view>> names_of;
  for (const auto& destination : destinations_) names_of[destination->lane].insert(destination->name);
  for (const LaneEntry& entry : lanes_) {
    const auto& names_there = names_of[entry.lane.get()];
    if (!names_there.empty()) add_connection(stats, *entry.lane, names_there);  // none: a change is taking it away
  }
  return stats;
}

}  // namespace action_triggers::detail
