// SPDX-License-Identifier: MIT
/// Whether a condition of a trigger, or of one of its targets, holds for an event.
#pragma once

#include <optional>

#include "triggers/condition.hpp"
#include "triggers/event_view.hpp"

namespace action_triggers::detail {

/// Empty: the payload is not JSON.
inline std::optional<bool> holds_for(const std::optional<Condition>& condition, EventView& event) {
  if (!condition) return true;
  const PayloadJson* const json = event.json();
  if (json == nullptr) return std::nullopt;
  return condition->matches(json->root());
}

}  // namespace action_triggers::detail
