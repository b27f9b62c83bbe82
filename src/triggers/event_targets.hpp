// SPDX-License-Identifier: MIT
/// The targets that one event goes to, for whoever sends to them himself, one by one and later: an outbox's relay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/event.hpp"
#include "action_triggers/status.hpp"
#include "core/payload.hpp"
#include "triggers/emitter.hpp"
#include "triggers/event_functions.hpp"
#include "triggers/event_view.hpp"
#include "triggers/target_message.hpp"

namespace action_triggers::detail {

/// Threads: one at a time. Inside a ReadSection, and valid until the next find().
class EventTargets {
 public:
  /// One target of a trigger, or one message of a function for events.
  struct Target {
    TriggerCounters* counters = nullptr;  // of the trigger or function, whose name they have
    std::size_t index = 0;                // in the trigger's list, or of the function's messages
    Destination* destination = nullptr;   // nullptr: a function says which, by its name
    std::string_view destination_name{};

    // For make().
    const TriggerTable::Trigger* trigger = nullptr;
    const AddressedMessage* message = nullptr;
    bool is_json = true;  // false: a condition looks into the payload, and it is not JSON
    std::string thrown{};
  };

  /// Those that emit() would send to, in the same order; calls the functions that the event's name concerns. `event`
  /// must stay as long as this is used. `functions`: nullptr: there are none.
  void find(const TriggerTable& table, const EventFunctions::Table* functions, const EventParts& event);

  /// No active trigger and no function is for events of this name.
  [[nodiscard]] bool is_unmatched() const noexcept { return search_.buckets.empty() && functions_.empty(); }
  [[nodiscard]] const std::vector<Target>& targets() const noexcept { return targets_; }
  /// Of triggers and functions that leave the event out; those of which the table knows itself are not here.
  [[nodiscard]] const std::vector<TriggerCounters*>& filtered() const noexcept { return filtered_; }

  /// What the target gets: views, until the next make(). Not ok: it cannot be made.
  struct Made {
    Status status;
    MessageParts parts;
  };
  Made make(const Target& target);

 private:
  void add_targets_of(const TriggerTable::Trigger& trigger);
  void call(const EventFunctions::Function& function);

  EventParts parts_;
  TriggerSelection::Search search_;
  EventTable::Search function_search_;
  std::span<const std::uint32_t> functions_;  // that the event's name concerns
  std::optional<EventView> event_;
  std::vector<Target> targets_;
  std::vector<TriggerCounters*> filtered_;
  std::vector<std::vector<AddressedMessage>> messages_;  // of functions
  TargetMessage made_;
  const Message nothing_{};  // beside a body that came alone
};

}  // namespace action_triggers::detail
