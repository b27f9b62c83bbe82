// SPDX-License-Identifier: MIT
#include "triggers/event_targets.hpp"

#include "triggers/holds_for.hpp"
#include "triggers/trigger_config.hpp"

namespace action_triggers::detail {

void EventTargets::find(const TriggerTable& table, const EventParts& event) {
  table_ = &table;
  parts_ = event;
  targets_.clear();
  filtered_.clear();
  search_.is_json.reset();
  const auto found = table.find(event.name, event.body, search_);
  event_.emplace(parts_, search_.json, search_.is_json);
  for (const std::uint32_t trigger : found) add_targets_of(trigger);
}

void EventTargets::add_targets_of(std::uint32_t index) {
  const TriggerTable::Trigger& trigger = table_->trigger(index);
  const std::size_t before = targets_.size();
  const std::optional<bool> matched = holds_for(trigger.config->when, *event_);
  for (std::size_t i = 0; i < trigger.targets.size() && matched != false; ++i) {
    const std::optional<bool> holds = matched ? holds_for(trigger.targets[i].config->when, *event_) : matched;
    if (holds == false) continue;
    targets_.push_back({.trigger = index, .index = i, .is_json = holds.has_value()});
  }
  if (targets_.size() == before) filtered_.push_back(index);
}

EventTargets::Made EventTargets::make(const Target& target) {
  const TargetConfig& config = *table_->trigger(target.trigger).targets[target.index].config;
  if (!target.is_json) return refused(target, "when", event_->json_error());
  if (config.passes_on()) return {Status(), {parts_.body, parts_.message}};
  const Message& given = parts_.message != nullptr ? *parts_.message : nothing_;
  if (const char* const field = make_target_message(config, *event_, given, made_)) {
    return refused(target, field, made_.error);
  }
  return {Status(), {config.body ? std::string_view(made_.body) : parts_.body, &made_.message}};
}

EventTargets::Made EventTargets::refused(const Target& target, const char* field, const std::string& why) const {
  const TriggerConfig& trigger = *table_->trigger(target.trigger).config;
  return {Status(StatusCode::invalid_argument, cannot_be_made(trigger, target.index, field, why)), {}};
}

}  // namespace action_triggers::detail
