// SPDX-License-Identifier: MIT
/// The targets that one event goes to, for whoever sends to them himself, one by one and later: an outbox's relay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "action_triggers/status.hpp"
#include "core/payload.hpp"
#include "triggers/emitter.hpp"
#include "triggers/event_view.hpp"
#include "triggers/target_message.hpp"

namespace action_triggers::detail {

/// Threads: one at a time. Inside a ReadSection, and valid until the next find().
class EventTargets {
 public:
  struct Target {
    std::uint32_t trigger = 0;  // for TriggerTable::trigger()
    std::size_t index = 0;      // in its trigger's list
    bool is_json = true;        // false: a condition looks into the payload, and it is not JSON
  };

  /// Those that emit() would send to, in the same order. `event` must stay as long as this is used.
  void find(const TriggerTable& table, const EventParts& event);

  /// No active trigger is for events of this name.
  [[nodiscard]] bool is_unmatched() const noexcept { return search_.buckets.empty(); }
  [[nodiscard]] const std::vector<Target>& targets() const noexcept { return targets_; }
  /// Triggers for this name whose conditions leave the event out; those of which the table knows itself are not here.
  [[nodiscard]] const std::vector<std::uint32_t>& filtered() const noexcept { return filtered_; }

  /// What the target gets: views, until the next make(). Not ok: it cannot be made.
  struct Made {
    Status status;
    MessageParts parts;
  };
  Made make(const Target& target);

 private:
  void add_targets_of(std::uint32_t trigger);
  Made refused(const Target& target, const char* field, const std::string& why) const;

  const TriggerTable* table_ = nullptr;
  EventParts parts_;
  TriggerSelection::Search search_;
  std::optional<EventView> event_;
  std::vector<Target> targets_;
  std::vector<std::uint32_t> filtered_;
  TargetMessage made_;
  const Message nothing_{};  // beside a body that came alone
};

}  // namespace action_triggers::detail
