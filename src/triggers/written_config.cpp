// SPDX-License-Identifier: MIT
#include "triggers/written_config.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "config/field_table.hpp"
#include "config/json_parser.hpp"
#include "config/json_text.hpp"
#include "triggers/trigger_fields.hpp"

namespace action_triggers::detail {
namespace {

constexpr const char* hidden = "***";

/// Calls `found` with what stands inside each `${…}` of a text, and with what stands around them.
void split_placeholders(std::string_view text, const std::function<void(std::string_view)>& plain,
                        const std::function<void(std::string_view)>& found) {
  while (!text.empty()) {
    const std::size_t dollar = text.find("${");
    const bool is_escaped = dollar != std::string_view::npos && dollar > 0 && text[dollar - 1] == '$';
    const std::size_t end = dollar == std::string_view::npos ? dollar : text.find('}', dollar);
    if (end == std::string_view::npos) return plain(text);
    if (is_escaped) {
      plain(text.substr(0, dollar + 2));
      text.remove_prefix(dollar + 2);
      continue;
    }
    plain(text.substr(0, dollar));
    found(text.substr(dollar + 2, end - dollar - 2));
    text.remove_prefix(end + 1);
  }
}

/// What stands inside `${…}`, for people.
std::string named(std::string_view inside) {
  const std::size_t colon = inside.find(':');
  const std::string name(inside.substr(0, colon));
  if (colon == std::string_view::npos) return "environment variable " + name;
  const std::string_view argument = inside.substr(colon + 1);
  if (!argument.starts_with('-')) return name == "file" ? "file " + std::string(argument) : "resolver " + name;
  const char* const value = std::getenv(name.c_str());
  const bool is_set = value != nullptr && *value != '\0';
  return is_set ? "environment variable " + name : "the default of ${" + name + ":-…}, which is not set";
}

/// All placeholders of a value and of what is in it.
void add_placeholders(const Node& node, std::vector<std::string>& names) {
  const auto ignore = [](std::string_view) {};
  split_placeholders(node.string, ignore, [&](std::string_view inside) { names.push_back(named(inside)); });
  if (const std::size_t braces = node.string.find("{{"); braces != std::string::npos) {
    const std::size_t end = node.string.find("}}", braces);
    if (end != std::string::npos) names.push_back("value of " + node.string.substr(braces, end + 2 - braces));
  }
  for (const Node& item : node.items) add_placeholders(item, names);
  for (const Member& member : node.members) add_placeholders(member.value, names);
}

/// The value as one line of JSON, in the file's order and with its digits.
std::string written(const Node& node, std::string_view text) {
  if (node.is(Node::Kind::integer) || node.is(Node::Kind::number)) {
    return std::string(first_word(text.substr(node.offset)));
  }
  std::string result;
  if (node.is(Node::Kind::array)) {
    for (const Node& item : node.items) result += (result.empty() ? "" : ", ") + written(item, text);
    return "[" + result + "]";
  }
  if (node.is(Node::Kind::object)) {
    for (const Member& member : node.members) {
      result += (result.empty() ? "" : ", ") + quote_json(member.key) + ": " + written(member.value, text);
    }
    return "{" + result + "}";
  }
  return canonical_text(node);
}

/// Puts `value` and what is in it into `settings`, an entry for each that is no object.
void add_settings(const Node& value, const WrittenSetting& like, std::string_view text,
                  const std::function<std::size_t(std::size_t)>& line_at, std::vector<WrittenSetting>& settings) {
  if (value.is(Node::Kind::object)) {
    for (const Member& member : value.members) {
      WrittenSetting inner = like;
      inner.key += (inner.key.empty() ? "" : ".") + member.key;
      inner.line = line_at(member.key_offset);
      add_settings(member.value, inner, text, line_at, settings);
    }
    return;
  }
  WrittenSetting setting = like;
  setting.value = written(value, text);
  add_placeholders(value, setting.from);
  const bool may_have_a_password = setting.value.find('@') != std::string::npos;
  if (!setting.from.empty() || may_have_a_password || is_secret_key(setting.key)) setting.value = hidden;
  settings.push_back(std::move(setting));
}

/// The end of the string that begins at `begin`, behind its closing quote.
std::size_t end_of_string(std::string_view text, std::size_t begin) {
  std::size_t i = begin + 1;
  while (i < text.size() && text[i] != '"') i += text[i] == '\\' ? 2U : 1U;
  return i + 1;
}

/// All strings of a value that have a `${…}`.
void add_substituted(const Node& node, std::vector<const Node*>& found) {
  bool has_any = false;
  const auto ignore = [](std::string_view) {};
  split_placeholders(node.string, ignore, [&](std::string_view) { has_any = true; });
  if (has_any) found.push_back(&node);
  for (const Node& item : node.items) add_substituted(item, found);
  for (const Member& member : node.members) add_substituted(member.value, found);
}

/// Whether a template's text ends inside the name of a placeholder, which is looked up and not sent.
bool ends_in_name(std::string_view text) {
  for (std::size_t open = 0; (open = text.find("{{", open)) != std::string_view::npos;) {
    const std::string_view rest = text.substr(open);
    if (rest.starts_with("{{{{")) {  // the characters themselves
      open += 4;
      continue;
    }
    const std::size_t close = rest.find("}}");
    if (close == std::string_view::npos) return rest.find(":-") == std::string_view::npos;
    open += close + 2;
  }
  return false;
}

/// All that is not the file's.
void add_defaults(const std::vector<const FieldInfo*>& fields, const std::set<std::string>& given,
                  std::vector<WrittenSetting>& settings) {
  for (const FieldInfo* field : fields) {
    const bool is_given =
        given.contains(field->key) || std::any_of(field->aliases.begin(), field->aliases.end(),
                                                  [&](const std::string& alias) { return given.contains(alias); });
    if (is_given || field->default_value.empty()) continue;
    settings.push_back({.section = std::string(field->section),
                        .key = field->key,
                        .value = is_secret_key(field->key) ? hidden : field->default_value,
                        .line = 0,
                        .is_of_target = false,
                        .from = {}});
  }
}

}  // namespace

bool is_secret_key(std::string_view key) {
  constexpr std::array<std::string_view, 10> words{"passw", "passphrase", "pwd",  "secret", "token",
                                                   ".pem",  "credential", "jaas", "apikey", "api_key"};
  const std::string lower = ascii_lower(key);
  return lower == "pass" || std::any_of(words.begin(), words.end(),
                                        [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

WrittenConfig::WrittenConfig(std::string text) : text_(std::move(text)), positions_(text_) {
  std::vector<ConfigProblem> problems;
  root_ = parse_document(text_, positions_, problems);
}

std::vector<const Node*> WrittenConfig::sections(std::string_view key, std::string_view alias) const {
  std::vector<const Node*> found;
  for (const Member& member : root_.members) {
    if (member.key == key || (!alias.empty() && member.key == alias)) found.push_back(&member.value);
    if (member.key != "ACTION_TRIGGERS") continue;
    if (const Node* const inside = member.value.find(key)) found.push_back(inside);
  }
  return found;
}

const Member* WrittenConfig::find(const std::vector<const Node*>& maps, std::string_view name) const {
  for (const Node* const map : maps) {
    for (const Member& member : map->members) {
      if (member.key == name) return &member;
    }
  }
  return nullptr;
}

const Member* WrittenConfig::broker(std::string_view name) const {
  return find(sections("brokers", "ACTION_BROKERS"), name);
}

const Member* WrittenConfig::trigger(std::string_view name) const { return find(sections("triggers", {}), name); }

const Node* WrittenConfig::target(std::string_view trigger_name, std::size_t index) const {
  const Member* const found = trigger(trigger_name);
  const Node* const targets = found == nullptr ? nullptr : found->value.find("targets");
  return targets == nullptr || index >= targets->items.size() ? nullptr : &targets->items[index];
}

std::size_t WrittenConfig::line_at(std::size_t offset) const {
  ConfigProblem at;
  positions_.locate(offset, at);
  return at.line;
}

std::size_t WrittenConfig::line_of_broker(std::string_view name) const {
  const Member* const found = broker(name);
  return found == nullptr ? 0 : line_at(found->key_offset);
}

std::size_t WrittenConfig::line_of_trigger(std::string_view name) const {
  const Member* const found = trigger(name);
  return found == nullptr ? 0 : line_at(found->key_offset);
}

std::size_t WrittenConfig::line_of_target(std::string_view trigger_name, std::size_t index) const {
  const Node* const found = target(trigger_name, index);
  return found == nullptr ? 0 : line_at(found->offset);
}

std::string WrittenConfig::condition_in(const Node* object) const {
  const Node* const when = object == nullptr ? nullptr : object->find("when");
  return when == nullptr || when->is(Node::Kind::null) ? std::string() : written(*when, text_);
}

std::string WrittenConfig::condition_of(std::string_view trigger_name) const {
  const Member* const found = trigger(trigger_name);
  return condition_in(found == nullptr ? nullptr : &found->value);
}

std::string WrittenConfig::condition_of(std::string_view trigger_name, std::size_t index) const {
  return condition_in(target(trigger_name, index));
}

std::vector<WrittenSetting> WrittenConfig::settings_of_target(const Node& of_target) const {
  Node more;
  more.kind = Node::Kind::object;
  if (const Node* const params = of_target.find("params")) more = *params;
  for (const Member& member : of_target.members) {
    if (member.key == timeout_key && !member.value.is(Node::Kind::null)) more.members.push_back(member);
  }
  WrittenSetting like;
  like.section = "params";
  like.is_of_target = true;
  std::vector<WrittenSetting> settings;
  add_settings(
      more, like, text_, [this](std::size_t offset) { return line_at(offset); }, settings);
  return settings;
}

/// The file's maximum is the timeout of what has none of its own.
void WrittenConfig::add_maximum(std::vector<WrittenSetting>& all, std::set<std::string>& given) const {
  for (const Node* const settings : sections("settings", {})) {
    for (const Member& member : settings->members) {
      const bool is_maximum = ascii_lower(member.key) == "max_broker_timeout";
      if (!is_maximum || member.value.is(Node::Kind::null)) continue;
      WrittenSetting like;
      like.section = "settings";
      like.key = member.key;
      like.line = line_at(member.key_offset);
      add_settings(
          member.value, like, text_, [this](std::size_t offset) { return line_at(offset); }, all);
      given.insert(timeout_key);
    }
  }
}

std::vector<WrittenSetting> WrittenConfig::settings(std::string_view broker_name, std::string_view trigger_name,
                                                    std::size_t target_index, const BrokerRegistry& registry) const {
  std::vector<WrittenSetting> all;
  const Member* const found = broker(broker_name);
  if (found == nullptr) return all;
  const auto line = [this](std::size_t offset) { return line_at(offset); };
  const Node& entry = found->value;
  for (const char* section : {"conn_details", "params"}) {
    WrittenSetting like;
    like.section = section;
    if (const Node* const object = entry.find(section)) add_settings(*object, like, text_, line, all);
  }
  std::set<std::string> given;
  for (const WrittenSetting& setting : all) given.insert(setting.key);
  if (const Node* const of_target = target(trigger_name, target_index)) {
    for (WrittenSetting& setting : settings_of_target(*of_target)) {  // what the broker has too is equal
      if (given.insert(setting.key).second) all.push_back(std::move(setting));
    }
  }
  if (!given.contains(timeout_key)) add_maximum(all, given);
  const Node* const type = entry.find("broker_type");
  const BrokerType* const known = type == nullptr ? nullptr : registry.find(type->string);
  if (known != nullptr && known->fields) add_defaults(known->fields(), given, all);
  add_defaults(common_fields(), given, all);
  return all;
}

std::string WrittenConfig::without_secrets() const {
  std::vector<const Node*> found;
  for (const Node* const triggers : sections("triggers", {})) {
    for (const Member& one : triggers->members) {
      const Node* const targets = one.value.find("targets");
      if (targets == nullptr) continue;
      for (const Node& each : targets->items) {
        for (const char* field : {"body", "key", "headers", "content_type"}) {
          if (const Node* const value = each.find(field)) add_substituted(*value, found);
        }
      }
    }
  }
  std::sort(found.begin(), found.end(), [](const Node* a, const Node* b) { return a->offset > b->offset; });
  std::string result = text_;
  for (const Node* const node : found) {  // from the end, so that offsets stay right
    std::string shown;
    split_placeholders(
        node->string, [&](std::string_view plain) { shown += plain; },
        [&](std::string_view inside) {
          shown += ends_in_name(shown) ? "${" + std::string(inside) + "}" : std::string(hidden);
        });
    result.replace(node->offset, end_of_string(result, node->offset) - node->offset, quote_json(shown));
  }
  return result;
}

}  // namespace action_triggers::detail
