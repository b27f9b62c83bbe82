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

/// Of the destinations of a lane.
struct Names {
  std::set<std::string_view> all;
  std::set<std::string_view> findable;  // the others are derived ones, of destinations that have another lane
};

/// How far a state is from `connected`.
int badness(ConnectionState state) {
  switch (state) {
    case ConnectionState::connected:
      return 0;
    case ConnectionState::blocked:
      return 1;
    case ConnectionState::connecting:
      return 2;
    case ConnectionState::disconnected:
      return 3;
    case ConnectionState::closed:
      return 4;
  }
  return 0;
}

/// Adds the connection of a lane that has these destinations.
void add_connection(Stats& stats, const Lane& lane, const Names& names) {
  ConnectionStats connection = stats_of(lane);
  connection.destinations.assign(names.all.begin(), names.all.end());
  // A destination has one lane, and one more at most: for derived ones with an envelope that it has not itself.
  connection.name = names.findable.empty() ? connection.destinations.front() + " (CloudEvents)"
                                           : std::string(*names.findable.begin());
  for (const std::string& name : connection.destinations) {
    BrokerStats& broker = stats.brokers.find(name)->second;
    connection.broker_type = broker.broker_type;
    const int worse = badness(connection.state) - badness(broker.state);
    if (broker.connection.empty() || worse > 0 || (worse == 0 && names.findable.contains(name))) {
      show_connection(broker, connection);
    }
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
  stats.in_child_of_fork = is_in_child();
  if (!stats.in_child_of_fork) ask_for_ages();
  stats.taken_at = WallTime::clock::now();
  if (stats.in_child_of_fork) return stats;
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
  std::map<const Lane*, Names> names_of;
  for (const auto& destination : destinations_) {
    Names& there = names_of[destination->lane];
    there.all.insert(destination->name);
    if (destination->findable) there.findable.insert(destination->name);
  }
  for (const LaneEntry& entry : lanes_) {
    const Names& there = names_of[entry.lane.get()];
    if (!there.all.empty()) add_connection(stats, *entry.lane, there);  // none: a change is taking it away
  }
  return stats;
}

}  // namespace action_triggers::detail
