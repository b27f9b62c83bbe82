// SPDX-License-Identifier: MIT
#include "action_triggers/preview.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/message_id.hpp"
#include "triggers/event_table.hpp"
#include "triggers/event_view.hpp"
#include "triggers/target_message.hpp"
#include "triggers/trigger_config.hpp"

namespace action_triggers {
namespace detail {
namespace {

std::string new_id() {
  std::string text(MessageId::text_size, '\0');
  next_message_id(coarse_unix_ms()).write_text(text.data());
  return text;
}

/// One event on its way through all triggers.
class Preview {
 public:
  /// `message`: nullptr: only the name is known.
  Preview(const Config& config, std::string_view event, const Message* message)
      : config_(config), name_(event), given_(message) {
    if (message == nullptr) return;
    emitted_ = *message;
    if (emitted_.id.empty()) emitted_.id = new_id();
    event_.emplace(EventParts{.name = event,
                              .id = emitted_.id,
                              .time = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()),
                              .body = emitted_.body,
                              .message = &emitted_},
                   json_);
  }

  void add(const TriggerConfig& trigger) {
    const Decision decision = decide(trigger);
    for (std::size_t i = 0; i < trigger.targets.size(); ++i) {
      const TargetConfig& target = trigger.targets[i];
      Decision of_target = decision;
      Message message;
      if (decision.outcome == PreviewOutcome::sent) {
        of_target = given_ == nullptr ? undecided(target) : make(target, message);
      }
      if (of_target.outcome == PreviewOutcome::failed) {
        of_target.why = cannot_be_made(trigger, i, of_target.field, of_target.why);
      }
      result.push_back({.trigger = trigger.name,
                        .target = i,
                        .broker = target.broker,
                        .destination = destination_of(target),
                        .outcome = of_target.outcome,
                        .why = std::move(of_target.why),
                        .message = std::move(message)});
    }
  }

  std::vector<PreviewedTarget> result;

 private:
  struct Decision {
    PreviewOutcome outcome = PreviewOutcome::sent;
    std::string why{};
    const char* field = "";  // of a message that cannot be made
  };

  std::shared_ptr<const BrokerConfig> destination_of(const TargetConfig& target) const {
    if (target.derived != nullptr) return target.derived;
    const auto found = config_.brokers.find(target.broker);
    return found == config_.brokers.end() ? nullptr : found->second;
  }

  Decision decide(const TriggerConfig& trigger) {
    EventTable patterns;
    for (std::uint32_t i = 0; i < trigger.events.size(); ++i) patterns.add(trigger.events[i], i);
    EventTable::Search search;
    if (patterns.find(name_, search).empty()) {
      return {PreviewOutcome::event, "No pattern of the trigger matches '" + std::string(name_) + "'."};
    }
    if (!trigger.active) return {PreviewOutcome::inactive, "The trigger is not active."};
    return decide(trigger.when, PreviewOutcome::trigger_condition);
  }

  /// What a condition says; `otherwise`, if it does not match.
  Decision decide(const std::optional<Condition>& condition, PreviewOutcome otherwise) {
    if (!condition) return {};
    if (given_ == nullptr) return {PreviewOutcome::undecided, "The condition needs a payload."};
    const PayloadJson* const json = event_->json();
    if (json == nullptr) return {PreviewOutcome::failed, event_->json_error(), "when"};
    std::string why = condition->why_not(json->root());
    return why.empty() ? Decision() : Decision{otherwise, std::move(why)};
  }

  static Decision undecided(const TargetConfig& target) {
    return {PreviewOutcome::undecided,
            target.when ? "The target's condition needs a payload." : "It gets the message if it can be made."};
  }

  Decision make(const TargetConfig& target, Message& message) {
    Decision decision = decide(target.when, PreviewOutcome::target_condition);
    if (decision.outcome != PreviewOutcome::sent) return decision;
    if (const char* const field = make_target_message(target, *event_, emitted_, made_)) {
      return {PreviewOutcome::failed, made_.error, field};
    }
    message = made_.message;
    message.body = target.body ? Text(made_.body) : emitted_.body;
    return decision;
  }

  const Config& config_;
  const std::string_view name_;
  const Message* const given_;
  Message emitted_;
  PayloadJson json_;
  std::optional<EventView> event_;
  TargetMessage made_;
};

std::vector<PreviewedTarget> preview_all(const Config& config, std::string_view event, const Message* message) {
  const auto* const triggers = config.section<TriggersConfig>();
  if (triggers == nullptr) return {};
  Preview preview(config, event, message);
  for (const TriggerConfig& trigger : triggers->triggers) preview.add(trigger);
  return std::move(preview.result);
}

}  // namespace
}  // namespace detail

std::vector<PreviewedTarget> preview(const Config& config, std::string_view event, const Message& message) {
  return detail::preview_all(config, event, &message);
}

std::vector<PreviewedTarget> preview(const Config& config, std::string_view event) {
  return detail::preview_all(config, event, nullptr);
}

}  // namespace action_triggers
