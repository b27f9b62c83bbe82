// SPDX-License-Identifier: MIT
#include "triggers/trigger_counters.hpp"

#include <exception>

namespace action_triggers::detail {

TriggerStats TriggerCounters::stats() const {
  TriggerStats stats;
  stats.sent = sent_.load(std::memory_order_relaxed);
  stats.failed = failed_.load(std::memory_order_relaxed);
  stats.filtered = filtered_.load(std::memory_order_relaxed);
  stats.matched = matched_.load(std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  stats.last_error = last_error_;
  stats.last_error_at = last_error_at_;
  return stats;
}

void TriggerCounters::keep_error(const Record& record, StatusCode code) noexcept {
  try {
    const std::string& broker = record.report != nullptr ? record.report->broker : record.dest().name;
    std::string error = broker.empty() ? "" : broker + ": ";
    if (record.report != nullptr) {
      error += record.report->status.to_string();
    } else {
      error += to_string(code);
    }
    const std::lock_guard lock(mutex_);
    last_error_ = std::move(error);
    last_error_at_ = WallTime::clock::now();
  } catch (const std::exception&) {
    // Without memory the error before stays.
  }
}

}  // namespace action_triggers::detail
