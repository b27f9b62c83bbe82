// SPDX-License-Identifier: MIT
/// From an event to the message of one target.
#pragma once

#include <cstddef>
#include <string>

#include "action_triggers/message.hpp"
#include "triggers/event_view.hpp"
#include "triggers/trigger_config.hpp"

namespace action_triggers::detail {

/// A target's message. A thread uses the same one for all its events, which saves allocations.
struct TargetMessage {
  Message message;  ///< Without its body.
  std::string body;
  std::string text;   ///< Of the template that is being rendered.
  std::string error;  ///< Why the message cannot be made, as a sentence.

  /// For between two events: memory that a large one needed is given back.
  void drop_large() noexcept {
    for (std::string* const one : {&body, &text, &error}) {
      if (one->capacity() > most_kept) std::string().swap(*one);
    }
  }
  static constexpr std::size_t most_kept = 1024UL * 1024UL;
};

/// Makes the message that `target` sends for the event which was emitted as `given`, whose body is not looked at; the
/// body only if the target has a template for it. nullptr: well; else the field that cannot be made, and `error` says
/// why.
const char* make_target_message(const TargetConfig& target, EventView& event, const Message& given,
                                TargetMessage& made);

/// What is said of a target whose message cannot be made: `field` of it, and why.
std::string cannot_be_made(const TriggerConfig& trigger, std::size_t target, const char* field, const std::string& why);

}  // namespace action_triggers::detail
