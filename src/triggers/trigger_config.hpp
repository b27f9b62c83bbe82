// SPDX-License-Identifier: MIT
/// The `triggers` section, compiled: which events go to which destinations, under which condition, in which shape.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/message.hpp"
#include "triggers/body_template.hpp"
#include "triggers/condition.hpp"
#include "triggers/text_template.hpp"

namespace action_triggers::detail {

/// A header that a target adds: the same one for each event, or one with a text that the event decides.
struct HeaderTemplate {
  Header fixed;  // its name; and its value, unless there is a template
  std::optional<TextTemplate> template_;
  bool is_default = false;  // only for messages that have none of this name
};

/// One destination of a trigger.
struct TargetConfig {
  std::string broker;  // in the brokers map
  /// That one with params of the target's own; nullptr: as it is.
  std::shared_ptr<const BrokerConfig> derived;
  std::optional<Condition> when;
  std::optional<BodyTemplate> body;
  std::optional<TextTemplate> key;
  std::optional<TextTemplate> content_type;
  std::vector<HeaderTemplate> headers;

  /// Whether the message goes there as it was emitted.
  [[nodiscard]] bool passes_on() const noexcept { return !body && !key && !content_type && headers.empty(); }
};

struct TriggerConfig {
  std::string name;
  bool active = true;
  std::vector<std::string> events;  // patterns
  std::optional<Condition> when;
  std::vector<TargetConfig> targets;
};

/// Config::section<TriggersConfig>().
struct TriggersConfig {
  std::vector<TriggerConfig> triggers;                       // in the file's order
  std::vector<std::shared_ptr<const BrokerConfig>> derived;  // of all targets, each once
  /// Destinations that only targets with further params can reach, and what is said of a fire at one.
  std::map<std::string, std::string, std::less<>> incomplete;
};

}  // namespace action_triggers::detail
