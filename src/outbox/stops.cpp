// SPDX-License-Identifier: MIT
#include "outbox/stops.hpp"

#include <algorithm>
#include <functional>

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

bool Stops::try_all(std::int64_t row, TimePoint now) {
  if (is_tried_ || all_) return false;
  all_ = {row, now + retry_pause, /*is_trial=*/true};
  return true;
}

void Stops::try_key(const std::string& key, std::int64_t row, TimePoint now) {
  if (tried_.contains(std::hash<std::string>()(key)) || keys_.contains(key)) return;
  if (!stop_key(key, row, now)) return;  // more keys at once than it can try
  Stop& stop = keys_.at(key);
  stop.is_trial = true;
  stop.has_waiting = false;
}

void Stops::end_trial(std::int64_t row) {
  if (all_ && all_->is_trial && all_->dead_row == row) all_.reset();
  for (auto stop = keys_.begin(); stop != keys_.end();) {
    const bool is_its = stop->second.is_trial && stop->second.dead_row == row;
    stop = is_its ? erase(stop) : std::next(stop);
  }
}

bool Stops::holds(const OutboxRow& row) {
  if (all_) return true;
  if (keys_.empty() || !row.key) return false;
  const auto stop = keys_.find(*row.key);
  if (stop == keys_.end() || row.id < stop->second.dead_row) return false;  // an earlier one is in order
  stop->second.has_waiting = true;
  return true;
}

bool Stops::has_dead() const {
  return (all_ && !all_->is_trial) ||
         std::any_of(keys_.begin(), keys_.end(), [](const auto& one) { return !one.second.is_trial; });
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
    is_tried_ = some = true;
  }
  for (auto stop = keys_.begin(); stop != keys_.end();) {
    if (stop->second.dead_row != dead_row) {
      ++stop;
      continue;
    }
    some = some || stop->second.has_waiting;
    if (tried_.size() >= most_tried) tried_.clear();
    tried_.insert(std::hash<std::string>()(stop->first));
    stop = erase(stop);
  }
  return some;
}

std::map<std::string, Stops::Stop>::iterator Stops::erase(std::map<std::string, Stop>::iterator stop) {
  key_bytes_ -= stop->first.size();
  return keys_.erase(stop);
}

void Stops::clear() {
  all_.reset();
  keys_.clear();
  key_bytes_ = 0;
  is_tried_ = false;
  tried_.clear();
}

}  // namespace action_triggers::detail
