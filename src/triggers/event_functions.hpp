// SPDX-License-Identifier: MIT
/// The functions of TriggerDispatcher::on(), and which of them an event's name concerns.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/event.hpp"
#include "triggers/event_table.hpp"
#include "triggers/event_view.hpp"
#include "triggers/trigger_counters.hpp"

namespace action_triggers::detail {

/// Threads: any. Whoever changes it replaces the table, and readers see the one before or the one after.
class EventFunctions {
 public:
  struct Function {
    std::string pattern;
    std::string name;
    EventFunction call;
    TriggerCounters* counters = nullptr;

    /// Calls it: its messages go to `messages`. Returns why it has made none, if it has thrown; else nothing.
    [[nodiscard]] std::string run(const EventView& event, std::vector<AddressedMessage>& messages) const;
  };

  /// Does not change.
  struct Table {
    std::vector<std::shared_ptr<const Function>> functions;  // in the order in which they came
    EventTable patterns;                                     // lead to their indexes
    std::uint64_t generation = 0;                            // another one than those before had
  };

  /// Only inside a ReadSection, and valid as long. nullptr: there are no functions.
  [[nodiscard]] const Table* table() const noexcept { return table_.load(std::memory_order_seq_cst); }

  /// Throws std::invalid_argument if another one has that name.
  void add(Function function);
  /// False: there is none of that name. When it returns no thread is in that function, unless it was called inside a
  /// ReadSection.
  bool remove(std::string_view name);

 private:
  using List = std::vector<std::shared_ptr<const Function>>;
  static List::const_iterator find(const List& list, std::string_view name);
  [[nodiscard]] List list() const;
  void replace(List list);
  void free_replaced();

  std::atomic<const Table*> table_{nullptr};
  std::mutex mutex_;  // of what follows; not held while functions run or are destroyed
  std::uint64_t last_generation_ = 0;
  std::unique_ptr<const Table> owned_table_;
  std::vector<std::unique_ptr<const Table>> replaced_;  // that somebody may be reading
};

}  // namespace action_triggers::detail
