// SPDX-License-Identifier: MIT
/// From an event to the messages of all triggers that match it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "action_triggers/delivery.hpp"
#include "action_triggers/emission.hpp"
#include "dispatch/dispatcher.hpp"
#include "triggers/event_table.hpp"
#include "triggers/event_view.hpp"
#include "triggers/trigger_config.hpp"
#include "triggers/trigger_counters.hpp"

namespace action_triggers::detail {

/// The triggers of one configuration, with the destinations that they send to. Nothing in it changes.
class TriggerTable {
 public:
  struct Target {
    const TargetConfig* config = nullptr;
    Destination* destination = nullptr;
  };
  struct Trigger {
    const TriggerConfig* config = nullptr;
    TriggerCounters* counters = nullptr;
    std::vector<Target> targets;
  };

  /// `counters_of` gives a trigger its counters. Throws std::invalid_argument for a target that the dispatcher lacks.
  template <class CountersOf>
  TriggerTable(std::shared_ptr<const TriggersConfig> config, const Dispatcher& dispatcher, CountersOf&& counters_of)
      : config_(std::move(config)) {
    if (config_ == nullptr) return;
    for (const TriggerConfig& trigger : config_->triggers) add(trigger, dispatcher, counters_of(trigger.name));
  }

  /// The active triggers whose patterns match: indexes for trigger(), in the file's order.
  void find(std::string_view event, std::vector<std::uint32_t>& into) const { events_.find(event, into); }
  [[nodiscard]] const Trigger& trigger(std::uint32_t index) const noexcept { return triggers_[index]; }
  [[nodiscard]] bool empty() const noexcept { return triggers_.empty(); }

 private:
  void add(const TriggerConfig& trigger, const Dispatcher& dispatcher, TriggerCounters& counters);

  std::shared_ptr<const TriggersConfig> config_;
  std::vector<Trigger> triggers_;
  EventTable events_;
};

/// Threads: emit() and stats() from any.
class Emitter {
 public:
  /// Before anything else. `dispatcher` is not used after its end, and must end before this. `config`: nullptr if there
  /// are no triggers. Throws as TriggerTable.
  void bind(Dispatcher& dispatcher, std::shared_ptr<const TriggersConfig> config);

  /// See TriggerDispatcher::emit().
  Emission emit(std::string_view event, const MessageParts& parts, const DeliveryCallback& callback);

  void add_to(Stats& stats) const;

 private:
  struct Scratch;
  class ScratchOfThread;
  class Sending;
  void count_unmatched(std::string_view event) noexcept;

  Dispatcher* dispatcher_ = nullptr;
  std::vector<std::unique_ptr<TriggerCounters>> counters_;
  std::unique_ptr<const TriggerTable> table_;

  std::atomic<std::uint64_t> unmatched_{0};
  std::mutex mutex_;
  std::unordered_set<std::string> logged_;  // events that nothing matched, under mutex_
};

}  // namespace action_triggers::detail
