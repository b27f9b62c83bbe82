// SPDX-License-Identifier: MIT
#include "dispatch/destination_set.hpp"

#include <algorithm>

namespace action_triggers::detail {

void DestinationSet::add(Destination& destination, LaneCore& core) {
  if (all_.size() == all_.capacity()) all_.reserve(2 * all_.size() + 1);
  leaving_.reserve(all_.capacity());  // begin_removal() needs no memory
  const bool some_are_free = configs_.size() > all_.size();
  const auto free = some_are_free ? std::find(configs_.begin(), configs_.end(), nullptr) : configs_.end();
  const auto index = static_cast<std::size_t>(free - configs_.begin());
  if (free == configs_.end()) configs_.push_back(nullptr);  // a free number, if what follows throws
  due_.make_place();
  try {
    destination.deadlines = &deadlines_.acquire(destination.timeout());
  } catch (...) {
    due_.drop_place();
    throw;
  }
  destination.index = index;
  destination.core = &core;
  configs_[index] = destination.config.get();
  all_.push_back(&destination);
}

void DestinationSet::begin_removal(Destination& destination, TimePoint deadline) {
  destination.leave_by = deadline;
  leaving_.push_back(&destination);  // add() has reserved it
}

void DestinationSet::forget(Destination& destination) {
  std::erase(leaving_, &destination);
  std::erase(all_, &destination);
  configs_[destination.index] = nullptr;
  due_.clear(destination);
  due_.drop_place();
  deadlines_.release(*destination.deadlines);
}

void DestinationSet::number_anew() {
  std::erase(configs_, nullptr);
  for (std::size_t i = 0; i < all_.size(); ++i) {
    all_[i]->index = i;
    configs_[i] = all_[i]->config.get();
  }
}

RetryPolicy DestinationSet::shortest_pauses() const {
  RetryPolicy policy = all_.empty() ? RetryPolicy() : all_.front()->config->retry;
  for (const Destination* destination : all_) {
    policy.initial_backoff = std::min(policy.initial_backoff, destination->config->retry.initial_backoff);
    policy.max_backoff = std::min(policy.max_backoff, destination->config->retry.max_backoff);
  }
  return policy;
}

void DestinationSet::note_oldest() const noexcept {
  for (Destination* destination : all_) {
    const TimePoint deadline = destination->queue.earliest_deadline();
    const TimePoint since = deadline == TimePoint::max() ? deadline : deadline - destination->timeout();
    destination->oldest_since.store(since, std::memory_order_relaxed);
  }
}

bool DestinationSet::some_wait_for_others() const noexcept {
  return std::any_of(all_.begin(), all_.end(),
                     [](const Destination* destination) { return destination->waits_for_others.load(); });
}

bool DestinationSet::all_accounted_for() const noexcept {
  return std::all_of(all_.begin(), all_.end(), [](const Destination* destination) {
    return destination->capacity.messages() == destination->counters.held.get();
  });
}

}  // namespace action_triggers::detail
