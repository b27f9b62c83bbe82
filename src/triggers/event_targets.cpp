// SPDX-License-Identifier: MIT
#include "triggers/event_targets.hpp"

#include <utility>

#include "triggers/holds_for.hpp"
#include "triggers/trigger_config.hpp"

namespace action_triggers::detail {
namespace {

EventTargets::Made refused(std::string why) { return {Status(StatusCode::invalid_argument, std::move(why)), {}}; }

}  // namespace

void EventTargets::find(const TriggerTable& table, const EventFunctions::Table* functions, const EventParts& event) {
  parts_ = event;
  targets_.clear();
  filtered_.clear();
  messages_.clear();
  functions_ = {};
  search_.is_json.reset();
  const auto found = table.find(event.name, event.body, search_);
  if (functions != nullptr) functions_ = functions->patterns.find(event.name, function_search_);
  event_.emplace(parts_, search_.json, search_.is_json);
  for (const std::uint32_t index : found) add_targets_of(table.trigger(index));
  for (const std::uint32_t index : functions_) call(*functions->functions[index]);
}

void EventTargets::add_targets_of(const TriggerTable::Trigger& trigger) {
  const std::size_t before = targets_.size();
  const std::optional<bool> matched = holds_for(trigger.config->when, *event_);
  for (std::size_t i = 0; i < trigger.targets.size() && matched != false; ++i) {
    const TriggerTable::Target& target = trigger.targets[i];
    const std::optional<bool> holds = matched ? holds_for(target.config->when, *event_) : matched;
    if (holds == false) continue;
    Target one;
    one.counters = trigger.counters;
    one.index = i;
    one.destination = target.destination;
    one.destination_name = target.destination->name;
    one.trigger = &trigger;
    one.is_json = holds.has_value();
    targets_.push_back(std::move(one));
  }
  if (targets_.size() == before) filtered_.push_back(trigger.counters);
}

void EventTargets::call(const EventFunctions::Function& function) {
  Target one;
  one.counters = function.counters;
  std::vector<AddressedMessage> made;
  one.thrown = function.run(*event_, made);
  if (!one.thrown.empty()) {
    targets_.push_back(std::move(one));
    return;
  }
  if (made.empty()) {
    filtered_.push_back(function.counters);
    return;
  }
  messages_.push_back(std::move(made));
  for (AddressedMessage& message : messages_.back()) {
    if (message.message.id.empty()) message.message.id = parts_.id;
    one.destination_name = message.destination;
    one.message = &message;
    targets_.push_back(one);
    ++one.index;
  }
}

EventTargets::Made EventTargets::make(const Target& target) {
  if (!target.thrown.empty()) return refused(target.thrown);
  if (target.message != nullptr) return {Status(), {target.message->message.body, &target.message->message}};
  const TriggerConfig& trigger = *target.trigger->config;
  const TargetConfig& config = trigger.targets[target.index];
  if (!target.is_json) return refused(cannot_be_made(trigger, target.index, "when", event_->json_error()));
  if (config.passes_on()) return {Status(), {parts_.body, parts_.message}};
  const Message& given = parts_.message != nullptr ? *parts_.message : nothing_;
  if (const char* const field = make_target_message(config, *event_, given, made_)) {
    return refused(cannot_be_made(trigger, target.index, field, made_.error));
  }
  return {Status(), {config.body ? std::string_view(made_.body) : parts_.body, &made_.message}};
}

}  // namespace action_triggers::detail
