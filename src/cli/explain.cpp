// SPDX-License-Identifier: MIT
// action-triggers explain: what the triggers of a file are, and what an event would send. Sends nothing.
#include <algorithm>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/preview.hpp"
#include "cli/commands.hpp"
#include "cli/load.hpp"
#include "cli/output.hpp"
#include "config/problem_line.hpp"
#include "triggers/trigger_config.hpp"
#include "triggers/written_config.hpp"

namespace action_triggers::cli {
namespace {

using detail::printable;
using detail::TriggerConfig;
using detail::TriggersConfig;
using detail::WrittenConfig;
using detail::WrittenSetting;
using nlohmann::json;

std::string_view name_of(PreviewOutcome outcome) {
  switch (outcome) {
    case PreviewOutcome::sent:
      return "sent";
    case PreviewOutcome::failed:
      return "failed";
    case PreviewOutcome::undecided:
      return "undecided";
    case PreviewOutcome::target_condition:
      return "target_condition";
    case PreviewOutcome::trigger_condition:
      return "trigger_condition";
    case PreviewOutcome::event:
      return "event";
    case PreviewOutcome::inactive:
      return "inactive";
  }
  return "";
}

/// Whether nothing of the trigger is for the event, so that its targets need not be looked at.
bool is_of_trigger(PreviewOutcome outcome) {
  return outcome == PreviewOutcome::event || outcome == PreviewOutcome::inactive ||
         outcome == PreviewOutcome::trigger_condition;
}

/// A file and what is asked about it.
struct Subject {
  const ExplainOptions& options;
  const Config& config;
  const WrittenConfig& written;
  const BrokerRegistry& registry;
  std::map<std::string, std::vector<PreviewedTarget>> previews{};  // by the trigger's name; empty: no event is given

  [[nodiscard]] const PreviewedTarget* preview_of(const std::string& trigger, std::size_t target) const {
    const auto found = previews.find(trigger);
    return found == previews.end() || target >= found->second.size() ? nullptr : &found->second[target];
  }
  [[nodiscard]] std::string place(std::size_t line) const {
    return cli::name_of(options.file) + (line == 0 ? "" : ":" + std::to_string(line));
  }
};

// --------------------------------------------------------------------------------------------------------------- JSON

json to_json(const WrittenSetting& setting) {
  json from = json::array();
  for (const std::string& name : setting.from) from.push_back(name);
  return {{"section", setting.section},
          {"key", setting.key},
          {"value", setting.value},
          {"line", setting.line},
          {"of", setting.line == 0      ? "default"
                 : setting.is_of_target ? "target"
                                        : "broker"},
          {"from", from}};
}

json to_json(const Message& message) {
  json headers = json::array();
  for (const Header& header : message.headers) headers.push_back({header.name, header.value});
  return {{"body", static_cast<const std::string&>(message.body)},
          {"key", static_cast<const std::string&>(message.key)},
          {"headers", headers},
          {"content_type", static_cast<const std::string&>(message.content_type)},
          {"id", static_cast<const std::string&>(message.id)}};
}

json target_json(const Subject& subject, const TriggerConfig& trigger, std::size_t index) {
  const detail::TargetConfig& target = trigger.targets[index];
  json result{{"target", index},
              {"broker", target.broker},
              {"line", subject.written.line_of_target(trigger.name, index)},
              {"broker_line", subject.written.line_of_broker(target.broker)}};
  if (const auto broker = subject.config.find(target.broker); broker != nullptr) result["type"] = broker->broker_type;
  if (target.derived != nullptr) result["type"] = target.derived->broker_type;
  if (std::string when = subject.written.condition_of(trigger.name, index); !when.empty()) {
    result["when"] = std::move(when);
  }
  json settings = json::array();
  for (const WrittenSetting& setting : subject.written.settings(target.broker, trigger.name, index, subject.registry)) {
    settings.push_back(to_json(setting));
  }
  result["settings"] = std::move(settings);
  if (const PreviewedTarget* const preview = subject.preview_of(trigger.name, index)) {
    result["outcome"] = name_of(preview->outcome);
    if (!preview->why.empty()) result["why"] = preview->why;
    if (preview->is_sent()) result["message"] = to_json(preview->message);
  }
  return result;
}

json to_json(const Subject& subject, const TriggersConfig& triggers) {
  json all = json::array();
  for (const TriggerConfig& trigger : triggers.triggers) {
    json one{{"name", trigger.name},
             {"line", subject.written.line_of_trigger(trigger.name)},
             {"active", trigger.active},
             {"events", trigger.events}};
    if (std::string when = subject.written.condition_of(trigger.name); !when.empty()) one["when"] = std::move(when);
    json targets = json::array();
    for (std::size_t i = 0; i < trigger.targets.size(); ++i) targets.push_back(target_json(subject, trigger, i));
    one["targets"] = std::move(targets);
    all.push_back(std::move(one));
  }
  return all;
}

// --------------------------------------------------------------------------------------------------------------- text

void print_field(const char* name, const std::string& value, const char* margin) {
  std::cout << margin << name
            << std::string(std::max<std::size_t>(14, std::string_view(name).size() + 1) - std::string_view(name).size(),
                           ' ')
            << printable(value) << '\n';
}

std::string origin_of(const Subject& subject, const WrittenSetting& setting) {
  std::string text = subject.place(setting.line);
  if (setting.is_of_target) text += ", of the target";
  for (const std::string& from : setting.from) text += ", " + from;
  return text;
}

void print_settings(const Subject& subject, const std::string& broker, const std::string& trigger, std::size_t index) {
  std::string defaults;
  std::size_t default_count = 0;
  for (const WrittenSetting& setting : subject.written.settings(broker, trigger, index, subject.registry)) {
    if (setting.line == 0) {
      defaults += (defaults.empty() ? "" : ", ") + setting.key + " = " + setting.value;
      ++default_count;
      continue;
    }
    std::cout << "      " << printable(setting.section + "." + setting.key + " = " + setting.value) << "  ("
              << printable(origin_of(subject, setting)) << ")\n";
  }
  if (!subject.options.defaults) defaults = std::to_string(default_count) + " settings, which --defaults shows";
  if (default_count > 0) std::cout << "      defaults: " << printable(defaults) << '\n';
}

void print(const Message& message) {
  print_field("body", message.body, "      ");
  if (!message.key.empty()) print_field("key", message.key, "      ");
  for (const Header& header : message.headers) print_field("header", header.name + "=" + header.value, "      ");
  if (!message.content_type.empty()) print_field("content_type", message.content_type, "      ");
  print_field("id", message.id, "      ");
}

void print_target(const Subject& subject, const TriggerConfig& trigger, std::size_t index) {
  const detail::TargetConfig& target = trigger.targets[index];
  const PreviewedTarget* const preview = subject.preview_of(trigger.name, index);
  const BrokerConfig* broker = target.derived != nullptr ? target.derived.get() : subject.config.find(target.broker);
  std::cout << "  -> " << printable(target.broker);
  if (broker != nullptr) std::cout << " (" << printable(broker->broker_type) << ')';
  std::cout << "  " << printable(subject.place(subject.written.line_of_target(trigger.name, index)));
  if (preview != nullptr) {
    const bool can_be = preview->outcome == PreviewOutcome::undecided;
    std::cout << ": "
              << (preview->is_sent()                           ? "sent"
                  : can_be                                     ? "may be sent"
                  : preview->outcome == PreviewOutcome::failed ? "FAILS"
                                                               : "not sent");
    if (!preview->why.empty()) std::cout << ": " << printable(preview->why);
  }
  std::cout << '\n';
  if (const std::string when = subject.written.condition_of(trigger.name, index); !when.empty()) {
    print_field("when", when, "      ");
  }
  if (preview != nullptr && preview->is_sent()) print(preview->message);
  if (preview == nullptr || preview->is_sent() || preview->outcome == PreviewOutcome::undecided) {
    print_settings(subject, target.broker, trigger.name, index);
  }
}

void print(const Subject& subject, const TriggerConfig& trigger) {
  const PreviewedTarget* const first = subject.preview_of(trigger.name, 0);
  const bool is_out = first != nullptr && is_of_trigger(first->outcome);
  std::cout << printable(trigger.name) << "  "
            << printable(subject.place(subject.written.line_of_trigger(trigger.name)));
  if (first == nullptr) {
    if (!trigger.active) std::cout << ": not active";
  } else {
    const bool is_open = first->outcome == PreviewOutcome::undecided && trigger.when;
    std::cout << (is_out ? ": no: " + printable(first->why) : is_open ? ": may match" : ": matches");
  }
  std::cout << '\n';
  std::string events;
  for (const std::string& event : trigger.events) events += (events.empty() ? "" : ", ") + event;
  print_field("events", events, "  ");
  if (const std::string when = subject.written.condition_of(trigger.name); !when.empty()) {
    print_field("when", when, "  ");
  }
  if (is_out) return;
  for (std::size_t i = 0; i < trigger.targets.size(); ++i) print_target(subject, trigger, i);
}

/// How many targets get the event.
void print_sum(const Subject& subject) {
  std::size_t sent = 0;
  std::size_t failed = 0;
  std::size_t undecided = 0;
  for (const auto& [trigger, targets] : subject.previews) {
    for (const PreviewedTarget& target : targets) {
      if (target.outcome == PreviewOutcome::sent) ++sent;
      if (target.outcome == PreviewOutcome::failed) ++failed;
      if (target.outcome == PreviewOutcome::undecided) ++undecided;
    }
  }
  std::cout << printable(subject.options.event) << ": ";
  if (undecided > 0) {
    std::cout << undecided << (undecided == 1 ? " target" : " targets") << " may get it; --payload decides\n";
    return;
  }
  std::cout << sent << (sent == 1 ? " message" : " messages");
  if (failed > 0) std::cout << ", " << failed << " cannot be made";
  std::cout << '\n';
}

/// The message of the event, or how the command ends.
ExitCode read_message(const ExplainOptions& options, std::optional<Message>& message) {
  const bool has_payload = options.body || !options.payload_file.empty();
  const bool is_described = has_payload || !options.key.empty() || !options.headers.empty() ||
                            !options.content_type.empty() || !options.id.empty();
  if (options.event.empty() && is_described) {
    std::cerr << "A payload belongs to an event: action-triggers explain FILE EVENT --payload FILE\n";
    return ExitCode::wrong_usage;
  }
  if (!has_payload) return ExitCode::success;
  if (options.file == "-" && options.payload_file == "-") {
    std::cerr << "Standard input is the configuration, so the payload needs a file, or --body\n";
    return ExitCode::wrong_usage;
  }
  message = message_of(options);
  const std::optional<std::string> body = options.body ? options.body : read_payload(options.payload_file);
  if (!message || !body) return ExitCode::wrong_usage;
  message->body = *body;
  return ExitCode::success;
}

}  // namespace

ExitCode explain(const ExplainOptions& options) {
  const LoadedConfig loaded = load(options.file, options.json);
  if (!loaded.config) return loaded.exit_code;
  std::optional<Message> message;
  if (const ExitCode usage = read_message(options, message); usage != ExitCode::success) return usage;
  const BrokerRegistry registry = BrokerRegistry::builtin();
  const WrittenConfig written(loaded.text);
  Subject subject{options, *loaded.config, written, registry};
  bool any_failed = false;
  if (!options.event.empty()) {
    // What is printed of messages comes from a file in which no secrets are.
    const Config shown = parse_config(written.without_secrets(), registry);
    auto targets = message ? preview(shown, options.event, *message) : preview(shown, options.event);
    for (PreviewedTarget& target : targets) {
      any_failed = any_failed || target.outcome == PreviewOutcome::failed;
      subject.previews[target.trigger].push_back(std::move(target));
    }
  }
  const TriggersConfig none;
  const auto* const section = subject.config.section<TriggersConfig>();
  const TriggersConfig& triggers = section == nullptr ? none : *section;
  if (options.json) {
    json result{{"ok", !any_failed}, {"triggers", to_json(subject, triggers)}};
    if (!options.event.empty()) result["event"] = options.event;
    std::cout << dump(result) << '\n';
  } else {
    for (const TriggerConfig& trigger : triggers.triggers) print(subject, trigger);
    if (triggers.triggers.empty()) std::cout << name_of(options.file) << ": no triggers\n";
    if (!options.event.empty()) print_sum(subject);
  }
  return any_failed ? ExitCode::failure : ExitCode::success;
}

}  // namespace action_triggers::cli
