// SPDX-License-Identifier: MIT
// What Dispatcher does when its configuration changes: destinations come and go while messages flow.
//
// A change has four steps. What can fail comes first: new destinations get their lanes, and nobody can reach them yet.
// Then the table is replaced: from now on fires find what is new. Then the dispatcher waits until no fire can still
// have found what is old; only then are those told to leave, so that no fire is refused because of a change. What they
// hold is delivered by their lane, and whoever has their name waits until all of it has its outcome (Handover).
#include <algorithm>
#include <iterator>
#include <set>
#include <stdexcept>
#include <utility>

#include "base/readers.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/dispatcher_parts.hpp"
#include "dispatch/handover.hpp"
#include "dispatch/lane_key.hpp"
#include "dispatch/lane_thread.hpp"
#include "dispatch/stats_of.hpp"

namespace action_triggers::detail {

std::unique_ptr<const DestinationTable> table_of(const Lane::Destinations& destinations, const void* attached) {
  std::vector<Destination*> all;
  all.reserve(destinations.size());
  for (const auto& destination : destinations) {
    if (destination->findable) all.push_back(destination.get());
  }
  return std::make_unique<const DestinationTable>(all, attached);
}

void check_names(const Dispatcher::Configs& configs) {
  for (const auto& [name, config] : configs) {
    if (config == nullptr) throw std::invalid_argument("destination '" + name + "' has no configuration (nullptr)");
    if (config->name != name) {
      throw std::invalid_argument("destination '" + name + "' has a configuration of another name, '" + config->name +
                                  "'");
    }
  }
}

namespace {

/// Whether a destination that there is may stay as another configuration wants it.
bool is_same(const BrokerConfig& one, const BrokerConfig& other) {
  return &one == &other || (!one.source.empty() && one.source == other.source && one.name == other.name &&
                            one.broker_type == other.broker_type);
}

}  // namespace

/// What comes and what goes, until the change is done or given up.
struct Dispatcher::Change {
  explicit Change(std::mutex& changes) : one_change(changes) {}

  const std::lock_guard<std::mutex> one_change;
  Lane::Destinations coming;
  Lane::Destinations leaving;
  /// Those that left before, still have messages and have no successor yet, with whom they will tell.
  std::vector<std::pair<std::shared_ptr<Destination>, std::shared_ptr<Handover>>> left_before;
  std::map<const BrokerConfig*, Destination*> by_config;  // of a reload: whatever there will be

  Lane::Destinations after;
  const void* attached = nullptr;  // to the new table
  std::unique_ptr<const DestinationTable> table;
  std::vector<LaneEntry> new_lanes;
  std::size_t started = 0;    // of them
  Lane::Destinations joined;  // those that came to lanes that there are
  std::set<const Lane*> lanes_after;
  std::vector<std::unique_ptr<LaneCommand>> removals;  // one for each that leaves

  // Of earlier changes; freed with this.
  Lane::Destinations gone;
  std::vector<std::shared_ptr<Lane>> ended;
};

// ------------------------------------------------------------------------------------------------- add, remove, reload

Destination& Dispatcher::add(std::shared_ptr<const BrokerConfig> config, const BrokerRegistry& registry) {
  if (is_in_child()) throw std::logic_error(in_child_text);
  Change change(change_mutex_);
  if (find(config->name) != nullptr) {
    throw std::invalid_argument("there is a destination named '" + config->name + "' already");
  }
  change.coming.push_back(std::make_shared<Destination>(std::move(config)));
  Destination& destination = *change.coming.front();
  change.attached = table().attached;
  carry_out(change, registry, TimePoint::max(), {});
  return destination;
}

bool Dispatcher::remove(std::string_view name, TimePoint deadline) {
  if (is_in_child()) return false;
  Change change(change_mutex_);
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(destinations_.begin(), destinations_.end(), [&](const auto& destination) {
      return destination->findable && destination->name == name;
    });
    if (found == destinations_.end()) return false;
    change.leaving.push_back(*found);
  }
  change.attached = table().attached;
  carry_out(change, BrokerRegistry(), deadline, {});
  return true;
}

ReloadReport Dispatcher::reload(const Configs& configs, MoreDestinations more, const BrokerRegistry& registry,
                                TimePoint deadline, const Rebind& rebind) {
  refuse_on_lane_thread_of(*callbacks_, "TriggerDispatcher::reload");
  if (is_in_child()) throw std::logic_error(in_child_text);
  check_names(configs);
  Change change(change_mutex_);
  ReloadReport report;
  {
    const std::lock_guard lock(mutex_);
    std::multimap<std::string_view, std::shared_ptr<Destination>> old;
    for (const auto& one : destinations_) old.emplace(one->name, one);
    const auto want = [&](const std::shared_ptr<const BrokerConfig>& config, bool findable) {
      const auto [first, last] = old.equal_range(config->name);
      const auto same = std::find_if(first, last, [&, end = config.get()](const auto& entry) {
        return entry.second->findable == findable && is_same(*entry.second->config, *end);
      });
      if (same != last) {
        change.by_config[config.get()] = same->second.get();
        old.erase(same);  // it stays
        return;
      }
      change.coming.push_back(std::make_shared<Destination>(config, findable));
      change.by_config[config.get()] = change.coming.back().get();
    };
    for (const auto& [name, config] : configs) want(config, true);
    for (const auto& config : more.derived) want(config, false);
    for (const auto& [name, one] : old) change.leaving.push_back(one);
  }
  for (const auto& one : change.coming) {
    if (!one->findable) continue;
    (find(one->name) != nullptr ? report.changed : report.added).push_back(one->name);
  }
  for (const auto& one : change.leaving) {
    if (one->findable && !configs.contains(one->name)) report.removed.push_back(one->name);
  }
  const Rebound rebound = rebind([&](const BrokerConfig& config) {
    const auto found = change.by_config.find(&config);
    return found == change.by_config.end() ? nullptr : found->second;
  });
  change.attached = rebound.attached;
  carry_out(change, registry, deadline, [&] {
    incomplete_ = std::move(more.incomplete);
    rebound.published();
  });
  return report;
}

// ------------------------------------------------------------------------------------------------------- in four steps

void Dispatcher::carry_out(Change& change, const BrokerRegistry& registry, TimePoint deadline,
                           const std::function<void()>& published) {
  if (is_reading()) throw std::logic_error("the configuration was changed inside fire() or emit(), by a callback");
  try {
    prepare(change, deadline);
    make_lanes(change, registry);
    take_what_is_gone(change);
  } catch (...) {
    give_up(change);
    throw;
  }
  const auto old_table = publish(change, published);
  wait_for_readers();  // some may be in a Delivery::wait() that looks at what is gone
  for (const auto& lane : change.ended) lane->join();
  let_leave(change, deadline);
}

void Dispatcher::prepare(Change& change, TimePoint deadline) {
  struct Name {
    Lane::Destinations left_before;
    Lane::Destinations leaving;
    Lane::Destinations coming;
  };
  std::map<std::string_view, Name> names;
  for (const auto& one : change.leaving) names[one->name].leaving.push_back(one);
  for (const auto& one : change.coming) names[one->name].coming.push_back(one);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& one : removed_) {
      const auto found = names.find(one->name);
      if (found != names.end() && !one->is_gone.load(std::memory_order_acquire))
        found->second.left_before.push_back(one);
    }
  }
  for (const auto& [name, all] : names) {
    const std::size_t before = all.left_before.size() + all.leaving.size();
    if (before == 0 || all.coming.empty()) continue;
    const auto handover = std::make_shared<Handover>(before, all.coming);
    for (const auto& one : all.coming) one->is_settling.store(true, std::memory_order_relaxed);
    for (const auto& one : all.leaving) one->set_handover(handover);
    for (const auto& one : all.left_before) change.left_before.emplace_back(one, handover);
  }
  for (const auto& one : change.leaving) change.removals.push_back(one->lane->removal_of(*one, deadline));
  const std::lock_guard lock(mutex_);
  if (closed_) throw std::logic_error("the configuration was changed after close()");
  const std::set<std::shared_ptr<Destination>> leaving(change.leaving.begin(), change.leaving.end());
  std::copy_if(destinations_.begin(), destinations_.end(), std::back_inserter(change.after),
               [&](const auto& one) { return !leaving.contains(one); });
  change.after.insert(change.after.end(), change.coming.begin(), change.coming.end());
  change.table = table_of(change.after, change.attached);
  removed_.reserve(removed_.size() + change.leaving.size() + change.coming.size());
  ended_lanes_.reserve(ended_lanes_.size() + lanes_.size() + change.coming.size());
  lanes_.reserve(lanes_.size() + change.coming.size());
}

/// Not under mutex_: a callback on a lane may be in stats(), and a registry may take its time.
void Dispatcher::make_lanes(Change& change, const BrokerRegistry& registry) {
  std::map<std::string, Lane::Destinations> groups;
  for (const auto& one : change.coming) groups[lane_key(*one->config)].push_back(one);
  std::vector<std::pair<Lane*, Lane::Destinations>> joining;
  for (auto& [key, destinations] : groups) {
    const auto same = std::find_if(lanes_.begin(), lanes_.end(),
                                   [&, &wanted = key](const LaneEntry& entry) { return entry.key == wanted; });
    if (same != lanes_.end()) {
      joining.emplace_back(same->lane.get(), std::move(destinations));
    } else {
      change.new_lanes.push_back({key, make_lane(std::move(destinations), registry)});
    }
  }
  for (; change.started < change.new_lanes.size(); ++change.started) change.new_lanes[change.started].lane->start();
  for (const auto& [lane, destinations] : joining) {
    for (const auto& one : destinations) {
      lane->add(one);
      change.joined.push_back(one);
    }
  }
  for (const auto& one : change.after) change.lanes_after.insert(one->lane);
}

/// Nobody has seen anything of it.
void Dispatcher::give_up(Change& change) noexcept {
  for (const auto& one : change.leaving) one->drop_handover();
  for (const auto& one : change.coming) one->waits_for_others = false;
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < change.started; ++i) {
    change.new_lanes[i].lane->begin_close(Clock::now(), /*all=*/true);
    ended_lanes_.push_back(change.new_lanes[i].lane);
  }
  for (const auto& one : change.joined) {
    hand_over(*one);  // nobody waits for what no fire has found
    removed_.push_back(one);
    try {
      auto removal = one->lane->removal_of(*one, Clock::now());
      one->lane->remove(*one, std::move(removal));
    } catch (const std::bad_alloc&) {
      // It stays, and nothing comes to it.
    }
  }
}

std::unique_ptr<const DestinationTable> Dispatcher::publish(Change& change,
                                                            const std::function<void()>& published) noexcept {
  const std::lock_guard lock(mutex_);
  for (LaneEntry& entry : change.new_lanes) lanes_.push_back(std::move(entry));
  removed_.insert(removed_.end(), change.leaving.begin(), change.leaving.end());
  destinations_ = std::move(change.after);
  auto old = std::exchange(owned_table_, std::move(change.table));
  for (const auto& one : removed_) one->is_replaced.store(true, std::memory_order_relaxed);
  table_.store(owned_table_.get(), std::memory_order_seq_cst);
  if (published) published();
  if (closed_) {  // close() came meanwhile
    for (const auto& one : change.coming) one->capacity.close();
    for (const LaneEntry& entry : lanes_) entry.lane->begin_close(Clock::now(), /*all=*/true);
  }
  return old;
}

void Dispatcher::let_leave(Change& change, TimePoint deadline) noexcept {
  const std::lock_guard lock(mutex_);
  for (const auto& one : change.coming) one->is_settling.store(false, std::memory_order_relaxed);
  for (const auto& [one, handover] : change.left_before) {
    if (!one->set_handover(handover)) handover->one_is_done();
  }
  for (std::size_t i = 0; i < change.leaving.size(); ++i) {
    Destination& one = *change.leaving[i];
    if (change.lanes_after.contains(one.lane)) one.lane->remove(one, std::move(change.removals[i]));
  }
  for (const LaneEntry& entry : lanes_) {
    if (change.lanes_after.contains(entry.lane.get())) continue;
    entry.lane->begin_close(deadline, /*all=*/false);
    ended_lanes_.push_back(entry.lane);
  }
  std::erase_if(lanes_, [&](const LaneEntry& entry) { return !change.lanes_after.contains(entry.lane.get()); });
}

/// Destinations that their lanes have let go, and lanes that have ended.
void Dispatcher::take_what_is_gone(Change& change) {
  Lane::Destinations& gone = change.gone;
  std::vector<std::shared_ptr<Lane>>& ended = change.ended;
  const std::lock_guard lock(mutex_);
  for (const auto& one : removed_) {
    // A commit scope that holds a message of it still looks at it.
    if (one->is_gone.load(std::memory_order_acquire) && one->capacity.messages_in_scopes() == 0) gone.push_back(one);
  }
  if (gone.empty()) return;
  for (const auto& one : gone) add_counts(past_[one->name], *one);
  std::erase_if(removed_, [&](const auto& one) { return std::find(gone.begin(), gone.end(), one) != gone.end(); });
  const auto is_used = [&](const auto& lane) {
    return std::any_of(removed_.begin(), removed_.end(), [&](const auto& one) { return one->lane == lane.get(); });
  };
  for (const auto& lane : ended_lanes_) {
    if (lane->wait_until_ended(Clock::now()) && !is_used(lane)) ended.push_back(lane);
  }
  std::erase_if(ended_lanes_,
                [&](const auto& lane) { return std::find(ended.begin(), ended.end(), lane) != ended.end(); });
}

}  // namespace action_triggers::detail
