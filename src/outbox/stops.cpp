// SPDX-License-Identifier: MIT
#include "outbox/stops.hpp"

#include <algorithm>

namespace action_triggers::detail {

void Stops::stop_all(std::int64_t dead_row, TimePoint now) {
  if (all_ && all_->dead_row < dead_row) return;
  all_ = {dead_row, now + retry_pause};
}

bool Stops::stop_key(const std::string& key, std::int64_t dead_row, TimePoint now) {
  const auto known = keys_.find(key);
  if (known != keys_.end()) {
    if (dead_row <= known->second.dead_row) known->second = {dead_row, now + retry_pause};
    return true;
  }
  if (keys_.size() >= most_keys || key_bytes_ + key.size() > most_key_bytes) return false;
  keys_.insert({key, Stop{dead_row, now + retry_pause}});
  key_bytes_ += key.size();
  return true;
}

bool Stops::holds(const OutboxRow& row) const {
  if (all_) return true;
  if (keys_.empty() || !row.key) return false;
  const auto stop = keys_.find(*row.key);
  return stop != keys_.end() && row.id >= stop->second.dead_row;  // an earlier one is in order
}

bool Stops::is_dead(std::int64_t row) const {
  return (all_ && all_->dead_row == row) ||
         std::any_of(keys_.begin(), keys_.end(), [row](const auto& one) { return one.second.dead_row == row; });
}

std::optional<std::int64_t> Stops::lowest() const {
  std::optional<std::int64_t> least;
  if (all_) least = all_->dead_row;
  for (const auto& [key, stop] : keys_) least = std::min(least.value_or(stop.dead_row), stop.dead_row);
  return least;
}

std::vector<std::int64_t> Stops::due(TimePoint now, std::size_t limit) {
  std::vector<std::int64_t> rows;
  const auto ask = [&](Stop& stop) {
    if (stop.retry_at > now || rows.size() >= limit) return;
    stop.retry_at = now + retry_pause;
    rows.push_back(stop.dead_row);
  };
  if (all_) {
    ask(*all_);
  } else {
    for (auto& [key, stop] : keys_) ask(stop);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

TimePoint Stops::next_due() const {
  if (all_) return all_->retry_at;
  TimePoint at = TimePoint::max();
  for (const auto& [key, stop] : keys_) at = std::min(at, stop.retry_at);
  return at;
}

void Stops::retry_all(TimePoint now) {
  if (all_) all_->retry_at = now;
  for (auto& [key, stop] : keys_) stop.retry_at = now;
}

bool Stops::resume(std::int64_t dead_row) {
  bool some = false;
  if (all_ && all_->dead_row == dead_row) {
    all_.reset();
    some = true;
  }
  for (auto stop = keys_.begin(); stop != keys_.end();) {
    if (stop->second.dead_row != dead_row) {
      ++stop;
      continue;
    }
    key_bytes_ -= stop->first.size();
    stop = keys_.erase(stop);
    some = true;
  }
  return some;
}

void Stops::clear() {
  all_.reset();
  keys_.clear();
  key_bytes_ = 0;
}

}  // namespace action_triggers::detail
