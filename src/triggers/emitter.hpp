// SPDX-License-Identifier: MIT
/// From an event to the messages of all triggers that match it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
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

  using CountersOf = std::function<TriggerCounters&(const std::string& name)>;
  using FindDestination = std::function<Destination*(const TargetConfig& target)>;  // nullptr: there is none

  /// `config`: nullptr if there are no triggers. Throws std::invalid_argument for a target without a destination.
  TriggerTable(std::shared_ptr<const TriggersConfig> config, const FindDestination& find,
               const CountersOf& counters_of);

  /// The active triggers whose patterns match: indexes for trigger(), in the file's order.
  void find(std::string_view event, std::vector<std::uint32_t>& into) const { events_.find(event, into); }
  [[nodiscard]] const Trigger& trigger(std::uint32_t index) const noexcept { return triggers_[index]; }
  [[nodiscard]] bool empty() const noexcept { return triggers_.empty(); }

 private:
  void add(const TriggerConfig& trigger, const FindDestination& find, TriggerCounters& counters);

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

  using Table = std::unique_ptr<const TriggerTable>;
  /// The triggers of another configuration, which keep what they counted under their names. Throws as TriggerTable.
  Table make_table(std::shared_ptr<const TriggersConfig> config, const TriggerTable::FindDestination& find);
  /// From now on events go by these. Returns those before: free them when no emit() can be using them any more.
  Table swap(Table table) noexcept;

  /// See TriggerDispatcher::emit().
  Emission emit(std::string_view event, const MessageParts& parts, const DeliveryCallback& callback);

  void add_to(Stats& stats) const;

 private:
  struct Scratch;
  class ScratchOfThread;
  class Sending;
  void count_unmatched(std::string_view event) noexcept;

  Dispatcher* dispatcher_ = nullptr;
  Table owned_table_;
  std::atomic<const TriggerTable*> table_{nullptr};

  std::atomic<std::uint64_t> unmatched_{0};
  mutable std::mutex mutex_;
  // Of all triggers that there ever were: an outcome may still be on its way to one. Under mutex_.
  std::map<std::string, std::unique_ptr<TriggerCounters>, std::less<>> counters_;
  std::unordered_set<std::string> logged_;  // events that nothing matched, under mutex_
};

}  // namespace action_triggers::detail
