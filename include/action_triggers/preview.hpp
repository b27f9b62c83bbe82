// SPDX-License-Identifier: MIT
/// What emit() would do with an event, without a dispatcher, a thread or a broker: for tools and tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/config.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/message.hpp"

namespace action_triggers {

/// Whether a target of a trigger gets a message, and if not, what decides that.
enum class PreviewOutcome : std::uint8_t {
  sent,               ///< It gets PreviewedTarget::message.
  failed,             ///< Its message cannot be made: emit() reports `invalid_argument`.
  undecided,          ///< The payload decides, and preview() was given none.
  target_condition,   ///< Its own `when` does not match.
  trigger_condition,  ///< The trigger's `when` does not match.
  event,              ///< No pattern of the trigger matches the event's name.
  inactive,           ///< The trigger would be for this event, but is not active.
};

/// One target of one trigger.
struct PreviewedTarget {
  std::string trigger;
  std::size_t target = 0;  ///< Its place in the trigger's list, from 0.
  std::string broker;      ///< The name in the brokers map.

  /// That destination as this target uses it: with the target's own params and timeout.
  std::shared_ptr<const BrokerConfig> destination{};

  PreviewOutcome outcome = PreviewOutcome::sent;
  std::string why{};  ///< A sentence, if it is not sent. May quote the payload, never a secret of the configuration.

  /// What fire() would be given, with the id that all messages of the event have. Only if it is sent.
  Message message{};

  [[nodiscard]] bool is_sent() const noexcept { return outcome == PreviewOutcome::sent; }
};

/// Every target of every trigger, in the configuration's order, also of triggers that the event does not concern. What
/// is said to be sent, emit() would hand to fire(); whether the broker takes it is not looked at. Nothing is counted or
/// logged. The functions of registered names are called, as emit() calls them; those of on() belong to a dispatcher,
/// and are not part of it.
///
/// Threads: any, at once. Throws std::bad_alloc only.
ACTION_TRIGGERS_EXPORT std::vector<PreviewedTarget> preview(const Config& config, std::string_view event,
                                                            const Message& message);

/// The same for an event of which only the name is known.
ACTION_TRIGGERS_EXPORT std::vector<PreviewedTarget> preview(const Config& config, std::string_view event);

}  // namespace action_triggers
