// SPDX-License-Identifier: MIT
// From the `triggers` of a file to a TriggersConfig, or to all that is wrong with it.
#include "triggers/triggers_section.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/suggestion.hpp"
#include "config/broker_loader.hpp"
#include "core/cloudevents_of.hpp"
#include "triggers/condition_reader.hpp"
#include "triggers/event_pattern.hpp"
#include "triggers/template_reader.hpp"
#include "triggers/trigger_config.hpp"
#include "triggers/trigger_fields.hpp"

namespace action_triggers::detail {
namespace {

using Keys = std::set<std::string, std::less<>>;

/// The place of a value inside another.
ConfigProblem inside(const ConfigProblem& parent, const std::string& key) {
  ConfigProblem place = parent;
  place.key += (place.key.empty() ? "" : ".") + key;
  place.pointer = pointer_to(parent.pointer, key);
  return place;
}

/// What all triggers of a file share: targets with equal params, to the same broker, are one destination.
using Derived = std::map<std::string, std::shared_ptr<const BrokerConfig>>;

/// What reading triggers and their targets shares.
class Reader {
 public:
  Reader(LoadContext& context, TemplateReader& templates, Derived& derived)
      : context_(context), templates_(templates), derived_(derived) {}

 protected:
  void problem(const Node& node, ConfigProblem place, std::string text, std::string hint = {}) {
    place.text = std::move(text);
    place.hint = std::move(hint);
    context_.add_problem(node.offset, std::move(place));
  }
  void warning(const Node& node, ConfigProblem place, std::string text) {
    place.text = std::move(text);
    context_.add_warning(node.offset, std::move(place));
  }
  void refuse_unknown_keys(const Node& object, const ConfigProblem& place, const std::vector<FieldInfo>& fields) {
    const Keys known = keys_of(fields);
    for (const Member& member : object.members) {
      if (known.contains(member.key) || context_.findings.full()) continue;
      ConfigProblem at = inside(place, member.key);
      at.text = "Unknown field '" + member.key + "'. " + suggestion(member.key, known);
      context_.add_problem(member.key_offset, std::move(at));
    }
  }
  /// nullptr: absent, or null.
  static const Node* value_of(const Node& object, std::string_view key) {
    const Node* const value = object.find(key);
    return value == nullptr || value->is(Node::Kind::null) ? nullptr : value;
  }
  std::optional<Condition> condition_of(const Node& object, const ConfigProblem& place) {
    const Node* const when = value_of(object, "when");
    return when == nullptr ? std::nullopt : read_condition(context_, *when, inside(place, "when"));
  }

  LoadContext& context_;
  TemplateReader& templates_;
  Derived& derived_;
};

class TargetReader : private Reader {
 public:
  using Reader::Reader;

  /// Empty: something is wrong, and is said.
  std::optional<TargetConfig> read(const Node& node, const ConfigProblem& place) {
    TargetConfig target;
    if (node.is(Node::Kind::string)) {
      target.broker = node.string;
      if (!find_broker(node, place, /*is_completed=*/false, target)) return std::nullopt;
      add_event_attributes(target, place);
      return target;
    }
    if (!node.is(Node::Kind::object)) {
      problem(node, place, "A target is the name of a broker, or an object with 'broker'.");
      return std::nullopt;
    }
    refuse_unknown_keys(node, place, target_fields());
    target.when = condition_of(node, place);
    if (const Node* const body = node.find("body")) target.body.emplace(templates_, *body, inside(place, "body"));
    target.key = text_of(node, place, "key");
    target.content_type = text_of(node, place, "content_type");
    if (const Node* const headers = value_of(node, "headers")) read_headers(*headers, inside(place, "headers"), target);
    return read_broker(node, place, target) ? std::optional(std::move(target)) : std::nullopt;
  }

 private:
  bool read_broker(const Node& node, const ConfigProblem& place, TargetConfig& target) {
    const Node* const broker = value_of(node, "broker");
    if (broker == nullptr || !broker->is(Node::Kind::string)) {
      problem(broker == nullptr ? node : *broker, broker == nullptr ? place : inside(place, "broker"),
              broker == nullptr ? "The field 'broker' must be provided." : "The field 'broker' must be of type str.");
      return false;
    }
    target.broker = broker->string;
    if (!find_destination(node, *broker, place, target)) return false;
    add_event_attributes(target, place);
    return true;
  }

  /// Where messages become CloudEvents, an event says what has happened, and when; unless something else does.
  void add_event_attributes(TargetConfig& target, const ConfigProblem& place) {
    const BrokerConfig* const config =
        target.derived != nullptr ? target.derived.get() : context_.config.find(target.broker);
    const CloudEventsConfig* const cloudevents = config != nullptr ? cloudevents_of(*config) : nullptr;
    if (cloudevents == nullptr) return;
    const auto add = [&](const char* attribute, const char* text) {
      Node node;
      node.kind = Node::Kind::string;
      node.string = text;
      target.headers.push_back({.fixed = {.name = Text(cloudevents->header_prefix + attribute), .value = {}},
                                .template_ = TextTemplate(templates_, node, place),
                                .is_default = true});
    };
    if (cloudevents->type.empty()) add("type", "{{ event.name }}");
    add("time", "{{ event.time }}");
  }

  bool find_destination(const Node& node, const Node& broker, const ConfigProblem& place, TargetConfig& target) {
    const Node more = params_of(node, place);
    if (!find_broker(broker, inside(place, "broker"), !more.members.empty(), target)) return false;
    if (more.members.empty()) return true;
    auto& derived = derived_[target.broker + '\n' + canonical_text(more)];
    if (derived == nullptr) derived = derive(target.broker, more, place);
    target.derived = derived;
    return derived != nullptr;
  }

  /// `params`, with `timeout_secs` beside them.
  Node params_of(const Node& node, const ConfigProblem& place) {
    Node more;
    more.kind = Node::Kind::object;
    more.offset = node.offset;
    if (const Node* const params = value_of(node, "params")) {
      if (params->is(Node::Kind::object)) {
        more = *params;
      } else {
        problem(*params, inside(place, "params"), "The field 'params' must be an object.");
      }
    }
    for (const Member& member : node.members) {
      if (member.key == timeout_key && !member.value.is(Node::Kind::null)) more.members.push_back(member);
    }
    return more;
  }

  std::shared_ptr<const BrokerConfig> derive(const std::string& broker, const Node& more, const ConfigProblem& place) {
    auto& problems = context_.findings.problems;
    const std::size_t before = problems.size();
    auto derived = derive_broker(context_, broker, more, place.pointer);
    for (std::size_t i = before; i < problems.size(); ++i) {  // it stands beside the params here
      if (problems[i].key == timeout_key) problems[i].pointer = pointer_to(place.pointer, timeout_key);
    }
    return derived;
  }

  /// Whether there is such a broker, and messages can go there.
  bool find_broker(const Node& node, const ConfigProblem& place, bool is_completed, const TargetConfig& target) {
    if (!context_.names_seen.contains(target.broker)) {
      Keys known;
      for (const auto& [name, map] : context_.names_seen) known.insert(name);
      problem(node, place, "There is no broker '" + target.broker + "'.", suggestion(target.broker, known));
      return false;
    }
    const auto lacking = context_.incomplete.find(target.broker);
    if (lacking == context_.incomplete.end() || is_completed) return true;
    // A problem of the target, since others may supply it.
    context_.completed.insert(target.broker);
    problem(node, place, "'" + target.broker + "' lacks params." + lacking->second.front().key + ".",
            "Give it there, or as this target's own: {\"broker\": …, \"params\": {…}}.");
    return false;
  }

  std::optional<TextTemplate> text_of(const Node& object, const ConfigProblem& place, const std::string& key) {
    const Node* const text = value_of(object, key);
    if (text == nullptr) return std::nullopt;
    if (!text->is(Node::Kind::string)) {
      problem(*text, inside(place, key), "The field '" + key + "' must be of type str.");
      return std::nullopt;
    }
    return TextTemplate(templates_, *text, inside(place, key));
  }

  void read_headers(const Node& headers, const ConfigProblem& place, TargetConfig& target) {
    if (!headers.is(Node::Kind::object)) {
      problem(headers, place, "The field 'headers' must be an object.");
      return;
    }
    for (const Member& member : headers.members) {
      const ConfigProblem at = inside(place, member.key);
      const Node& value = member.value;
      HeaderTemplate header{.fixed = {.name = Text(member.key), .value = {}}, .template_ = {}};
      if (member.key.empty()) problem(value, at, "A header needs a name.");
      if (value.is(Node::Kind::integer)) {
        header.fixed = Header::integer(Text(member.key), value.integer);
      } else if (value.is(Node::Kind::boolean)) {
        header.fixed = Header::boolean(Text(member.key), value.boolean);
      } else if (value.is(Node::Kind::string)) {
        header.template_.emplace(templates_, value, at);
        if (const std::string* const constant = header.template_->constant()) {
          header.fixed.value = Text(*constant);
          header.template_.reset();
        }
      } else {
        problem(value, at, "A header is a string, an integer, true or false.");
      }
      target.headers.push_back(std::move(header));
    }
  }
};

class TriggerReader : private Reader {
 public:
  using Reader::Reader;

  TriggerConfig read(const std::string& name, const Node& node, const ConfigProblem& place) {
    refuse_unknown_keys(node, place, trigger_fields());
    TriggerConfig trigger;
    trigger.name = name;
    if (const Node* const active = value_of(node, "active")) {
      trigger.active = active->boolean;
      if (!active->is(Node::Kind::boolean)) {
        problem(*active, inside(place, "active"), "The field 'active' must be of type bool.");
      }
    }
    read_events(node, place, trigger);
    trigger.when = condition_of(node, place);
    read_targets(node, place, trigger);
    return trigger;
  }

 private:
  void read_events(const Node& node, const ConfigProblem& place, TriggerConfig& trigger) {
    const Node* const events = value_of(node, "events");
    if (events == nullptr) return problem(node, place, "The field 'events' must be provided.");
    const ConfigProblem at = inside(place, "events");
    if (events->is(Node::Kind::string)) return add_event(*events, at, trigger);
    if (!events->is(Node::Kind::array) || events->items.empty()) {
      return problem(*events, at, "The field 'events' must be a list of event names or patterns, such as 'order.*'.");
    }
    for (std::size_t i = 0; i < events->items.size(); ++i) {
      add_event(events->items[i], inside(at, std::to_string(i)), trigger);
    }
  }

  void add_event(const Node& event, const ConfigProblem& place, TriggerConfig& trigger) {
    if (!event.is(Node::Kind::string)) return problem(event, place, "An event's name must be of type str.");
    if (std::string wrong = wrong_pattern(event.string); !wrong.empty()) return problem(event, place, std::move(wrong));
    if (std::string doubt = doubtful_pattern(event.string); !doubt.empty()) warning(event, place, std::move(doubt));
    if (std::find(trigger.events.begin(), trigger.events.end(), event.string) != trigger.events.end()) {
      return warning(event, place, "'" + event.string + "' stands in this list twice.");
    }
    trigger.events.push_back(event.string);
  }

  void read_targets(const Node& node, const ConfigProblem& place, TriggerConfig& trigger) {
    const Node* const targets = value_of(node, "targets");
    if (targets == nullptr) return problem(node, place, "The field 'targets' must be provided.");
    const ConfigProblem at = inside(place, "targets");
    if (!targets->is(Node::Kind::array) || targets->items.empty()) {
      return problem(*targets, at, "The field 'targets' must be a list of brokers, and not be empty.");
    }
    for (std::size_t i = 0; i < targets->items.size() && !context_.findings.full(); ++i) {
      auto target = TargetReader(context_, templates_, derived_).read(targets->items[i], inside(at, std::to_string(i)));
      if (target) trigger.targets.push_back(std::move(*target));
    }
  }
};

/// The params of all targets, which stand in no TargetConfig as they are.
std::vector<std::pair<Member*, const Node*>> all_params(Node& triggers) {
  std::vector<std::pair<Member*, const Node*>> found;
  for (Member& trigger : triggers.members) {
    for (Member& field : trigger.value.members) {
      if (field.key != "targets") continue;
      for (Node& target : field.value.items) {
        for (Member& part : target.members) {
          if (part.key == "params" && part.value.is(Node::Kind::object))
            found.emplace_back(&part, target.find("broker"));
        }
      }
    }
  }
  return found;
}

/// In params `{{ name }}` is what it is in a broker's params; elsewhere it is a template's.
void substitute_in_triggers(LoadContext& context, Node& triggers, const std::string& pointer) {
  std::vector<std::pair<Member*, Node>> apart;
  for (const auto& [params, broker] : all_params(triggers)) {
    context.substitute_in(params->value, broker == nullptr ? "" : broker->string, params->key, pointer);
    apart.emplace_back(params, std::exchange(params->value, Node()));
  }
  context.substitute_in(triggers, {}, "triggers", pointer, Braces::kept);
  for (auto& [params, value] : apart) params->value = std::move(value);
}

void read_triggers(LoadContext& context, Member& map, const std::string& pointer) {
  if (!context.check_object(map, pointer)) return;
  auto config = std::make_shared<TriggersConfig>();
  substitute_in_triggers(context, map.value, pointer);
  TemplateReader templates(context);
  Derived derived;
  TriggerReader reader(context, templates, derived);
  for (Member& trigger : map.value.members) {
    if (context.findings.full()) return;
    const ConfigProblem place{.section = "triggers", .key = trigger.key, .pointer = pointer_to(pointer, trigger.key)};
    ConfigProblem wrong = place;
    if (trigger.key.empty()) {
      wrong.text = "A trigger needs a name.";
      context.add_problem(trigger.key_offset, std::move(wrong));
    } else if (!trigger.value.is(Node::Kind::object)) {
      wrong.text = "A trigger must be an object with events and targets.";
      context.add_problem(trigger.value.offset, std::move(wrong));
    } else {
      config->triggers.push_back(reader.read(trigger.key, trigger.value, place));
    }
  }
  for (const auto& [name, problems] : context.incomplete) {
    if (!context.completed.contains(name)) continue;
    config->incomplete.emplace(name, "'" + name + "' has no params." + problems.front().key +
                                         " of its own: only targets of triggers that give it one can send there");
  }
  for (auto& [key, broker] : derived) config->derived.push_back(std::move(broker));
  context.config.set_section<TriggersConfig>(std::move(config));
}

}  // namespace

RootSection triggers_section() {
  return {.key = "triggers",
          .order = 2,  // after the brokers, which targets name
          .description = "Which events go to which brokers: each trigger under a name of its own.",
          .names = "^.+$",
          .fields = trigger_and_target_fields,
          .read = read_triggers};
}

}  // namespace action_triggers::detail
