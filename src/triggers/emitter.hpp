// SPDX-License-Identifier: MIT
/// From an event to the messages of all triggers that match it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "action_triggers/delivery.hpp"
#include "action_triggers/emission.hpp"
#include "dispatch/dispatcher.hpp"
#include "triggers/event_functions.hpp"
#include "triggers/event_view.hpp"
#include "triggers/trigger_config.hpp"
#include "triggers/trigger_counters.hpp"
#include "triggers/trigger_selection.hpp"

namespace action_triggers::detail {

class Emitter;

/// The triggers of one configuration, with the destinations that they send to. Nothing in it changes but counts.
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

  /// The active triggers that an event may concern, see TriggerSelection: indexes for trigger(), in the file's order.
  std::span<const std::uint32_t> find(std::string_view event, std::string_view payload,
                                      TriggerSelection::Search& search) const {
    return selection_.find(event, payload, search);
  }
  [[nodiscard]] const Trigger& trigger(std::uint32_t index) const noexcept { return triggers_[index]; }
  /// No other table of this process has or had the same one.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

  /// Calls `add(counters, events)` for each trigger: events of its name that find() has left it out of, which its
  /// counters do not know of.
  template <class Add>
  void for_each_left_out(const Add& add) const {
    for (std::uint32_t i = 0; i < triggers_.size(); ++i) add(*triggers_[i].counters, selection_.left_out(i));
  }

 private:
  void add(const TriggerConfig& trigger, const FindDestination& find, TriggerCounters& counters);

  static std::uint64_t next_generation() noexcept;

  const std::uint64_t generation_ = next_generation();
  std::shared_ptr<const TriggersConfig> config_;
  TriggerSelection selection_;
  std::vector<Trigger> triggers_;
};

/// Frees a table that nobody uses any more; what it has counted is kept.
struct RetireTable {
  Emitter* emitter = nullptr;
  void operator()(const TriggerTable* table) const noexcept;
};

/// Threads: emit() and add_to() from any.
class Emitter {
 public:
  Emitter() = default;
  ~Emitter();
  Emitter(const Emitter&) = delete;
  Emitter& operator=(const Emitter&) = delete;

  /// Before anything else. `dispatcher` is not used after its end, and must end before this. `config`: nullptr if there
  /// are no triggers. Throws as TriggerTable.
  void bind(Dispatcher& dispatcher, std::shared_ptr<const TriggersConfig> config);

  using Table = std::unique_ptr<const TriggerTable, RetireTable>;
  /// The triggers of another configuration, which keep what they counted under their names. Throws as TriggerTable.
  Table make_table(std::shared_ptr<const TriggersConfig> config, const TriggerTable::FindDestination& find);
  /// These were attached to the dispatcher's table: keeps them. Returns those before: free them when no emit() can be
  /// using them any more.
  Table swap(Table table) noexcept;

  /// See TriggerDispatcher.
  void on(std::string_view pattern, std::string_view name, EventFunction function);
  bool off(std::string_view name) { return functions_.remove(name); }
  /// See TriggerDispatcher::emit(). `scope`: see FireOrigin.
  Emission emit(std::string_view event, const MessageParts& parts, const DeliveryCallback& callback,
                RecordList* scope = nullptr);

  /// For who finds an event's targets himself (event_targets.hpp). Valid inside a ReadSection.
  [[nodiscard]] const TriggerTable& table() const noexcept { return table_of(dispatcher_->table()); }
  /// The triggers that go with these destinations: found by one look at both, or what a thread sends by a name would
  /// go by another configuration than the event that it emits next.
  [[nodiscard]] static const TriggerTable& table_of(const DestinationTable& destinations) noexcept {
    return *static_cast<const TriggerTable*>(destinations.attached);
  }
  [[nodiscard]] const EventFunctions::Table* functions() const noexcept { return functions_.table(); }
  /// An event that no trigger is for.
  void count_unmatched(std::string_view event) noexcept;

  void add_to(Stats& stats) const;

 private:
  friend struct RetireTable;
  struct Scratch;
  class ScratchOfThread;
  class Sending;
  TriggerCounters& counters_of(std::string_view name);
  void retire(const TriggerTable* table) noexcept;

  Dispatcher* dispatcher_ = nullptr;
  EventFunctions functions_;

  std::atomic<std::uint64_t> unmatched_{0};
  mutable std::mutex mutex_;
  // Of all triggers that there ever were: an outcome may still be on its way to one. Under mutex_.
  std::map<std::string, std::unique_ptr<TriggerCounters>, std::less<>> counters_;
  std::vector<const TriggerTable*> tables_;  // those that are not freed yet, under mutex_
  std::unordered_set<std::string> logged_;   // events that nothing matched, under mutex_
  Table owned_table_;
};

}  // namespace action_triggers::detail
