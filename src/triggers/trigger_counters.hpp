// SPDX-License-Identifier: MIT
/// What one trigger counts, and how it hears of its messages' outcomes.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "action_triggers/stats.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/outcome_observer.hpp"
#include "dispatch/record.hpp"

namespace action_triggers::detail {

/// Threads: any. Outlives the dispatcher's lanes.
class TriggerCounters final : public OutcomeObserver {
 public:
  explicit TriggerCounters(std::string name) : name_(std::move(name)) {}

  void count_matched() noexcept { matched_.fetch_add(1, std::memory_order_relaxed); }
  void count_filtered(std::uint64_t events = 1) noexcept { filtered_.fetch_add(events, std::memory_order_relaxed); }

  void resolved(const Record& record, StatusCode code, Persistence /*persistence*/) noexcept override {
    if (code == StatusCode::rolled_back) return;
    (code == StatusCode::ok ? sent_ : failed_).fetch_add(1, std::memory_order_relaxed);
    if (code != StatusCode::ok) keep_error(record, code);
  }
  void resolved_late(const Record& /*record*/, StatusCode /*code*/, Persistence /*persistence*/) noexcept override {}
  [[nodiscard]] std::string_view trigger() const noexcept override { return name_; }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] TriggerStats stats() const;

 private:
  void keep_error(const Record& record, StatusCode code) noexcept;

  const std::string name_;
  // Threads that emit write these, and lanes those: beside each other they would take the cache line from one another.
  alignas(64) std::atomic<std::uint64_t> matched_{0};
  std::atomic<std::uint64_t> filtered_{0};
  alignas(64) std::atomic<std::uint64_t> sent_{0};
  std::atomic<std::uint64_t> failed_{0};
  mutable std::mutex mutex_;
  std::string last_error_;
  WallTime last_error_at_;
};

}  // namespace action_triggers::detail
