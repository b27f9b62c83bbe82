// SPDX-License-Identifier: MIT
// One destination after another: its type, its sections, and the keys that every type has.
#include "config/broker_loader.hpp"
#include "config/generic_config.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/suggestion.hpp"
#include "base/text.hpp"
#include "config/field_table.hpp"

namespace action_triggers::detail {
namespace {

/// The broker types of django-action-triggers that this library does not have.
bool is_known_elsewhere(std::string_view type) {
  constexpr std::array<std::string_view, 4> types{"aws_sns", "aws_sqs", "gcp_pubsub", "redis"};
  return std::find(types.begin(), types.end(), ascii_lower(type)) != types.end();
}

/// Whether a text has the value of some `${…}` or `{{ … }}` in it.
bool quotes_substitution(const Node& node, std::string_view text) {
  return (node.substituted && !node.string.empty() && text.find(node.string) != std::string_view::npos) ||
         std::any_of(node.items.begin(), node.items.end(),
                     [&](const Node& item) { return quotes_substitution(item, text); }) ||
         std::any_of(node.members.begin(), node.members.end(),
                     [&](const Member& member) { return quotes_substitution(member.value, text); });
}

/// Whether nobody knows what this, or a part of it, will be.
bool is_unresolved(const Node* node) {
  return node != nullptr &&
         (node->unresolved ||
          std::any_of(node->items.begin(), node->items.end(), [](const Node& item) { return is_unresolved(&item); }) ||
          std::any_of(node->members.begin(), node->members.end(),
                      [](const Member& member) { return is_unresolved(&member.value); }));
}

/// Whether this is `$NAME`: a shell's variable, and nothing here.
bool is_shell_variable(const Node& node) {
  const std::string_view text = node.string;
  return !node.substituted && text.size() > 1 && text.front() == '$' && text[1] >= 'A' && text[1] <= 'Z' &&
         text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", 1) == std::string_view::npos;
}

/// One destination while it is being read.
class BrokerReader {
 public:
  BrokerReader(LoadContext& context, std::string name, Node& node, std::string pointer)
      : context_(context), name_(std::move(name)), node_(node), pointer_(std::move(pointer)) {}

  void read() {
    std::vector<ConfigProblem>& problems = context_.findings.problems;
    const std::size_t problems_before = problems.size();
    const std::size_t missing_before = context_.findings.missing_params;
    std::unique_ptr<BrokerConfig> broker = read_config();
    const std::size_t count = problems.size() - problems_before;
    if (count == 0 && broker) {
      context_.config.brokers.emplace(name_, std::move(broker));
    } else if (count > 0 && count == context_.findings.missing_params - missing_before) {
      const auto first = problems.end() - static_cast<std::ptrdiff_t>(count);
      context_.incomplete.emplace(name_, std::vector<ConfigProblem>(first, problems.end()));
      problems.erase(first, problems.end());
    }
  }

  /// nullptr: something is wrong, and said.
  std::unique_ptr<BrokerConfig> read_config() {
    const std::size_t problems_before = context_.findings.problems.size();
    const std::set<std::string, std::less<>> known{"broker_type", "conn_details", "params"};
    for (const Member& member : node_.members) {
      if (!known.contains(member.key)) context_.add_unknown_field(member, pointer_, known, name_);
    }
    const auto conn_details = section("conn_details");
    const auto params = section("params");
    const BrokerType* entry = find_type();
    if (entry == nullptr || !conn_details || !params) return nullptr;
    std::unique_ptr<BrokerConfig> broker = parse(*entry, *conn_details, *params);
    ConfigSection common = params->section();
    read_common_fields(common, *broker);
    if (broker->durability == Durability::outbox && !context_.sections.contains("outbox")) {
      common.problem("durability", "The field 'durability' is 'outbox', and the file has no section 'outbox'.",
                     "Without an outbox, 'commit' is the most that can be promised.");
    }
    conn_details->report_unknown_keys(params.get());
    params->report_unknown_keys(conn_details.get());
    for (const char* key : {"conn_details", "params"}) warn_of_variables(key);
    // Without timeout_secs the maximum is the timeout; without both it stays what the type's parser left.
    if (const auto cap = context_.config.settings.max_broker_timeout) {
      broker->timeout = common.has("timeout_secs") ? std::min(broker->timeout, *cap) : *cap;
    }
    broker->name = name_;
    broker->broker_type = ascii_lower(node_.find("broker_type")->string);
    if (broker->connection_key.empty()) {
      broker->connection_key = conn_details->object() == nullptr ? "{}" : canonical_text(*conn_details->object());
    }
    const auto text_of = [](const SectionReader& section) {
      return section.object() == nullptr ? std::string() : canonical_text(*section.object());
    };
    broker->source = text_of(*conn_details) + '\n' + text_of(*params) + '\n' + std::to_string(broker->timeout.count());
    // Taken out in any case: it holds the reader that holds it.
    const auto check_whole = std::exchange(conn_details->check_whole, nullptr);
    const bool is_known = !is_unresolved(conn_details->object()) && !is_unresolved(params->object());
    if (check_whole && is_known && context_.findings.problems.size() == problems_before) check_whole(*broker);
    return broker;
  }

  /// What placeholders stand for is there already.
  void keep_values() { substituted_ = true; }

 private:
  /// conn_details or params; nullptr: it is not an object.
  std::shared_ptr<SectionReader> section(const char* key) {
    const auto found = std::find_if(node_.members.begin(), node_.members.end(),
                                    [&](const Member& member) { return member.key == key; });
    Node* value = found == node_.members.end() || found->value.is(Node::Kind::null) ? nullptr : &found->value;
    const std::string at = pointer_to(pointer_, key);
    if (value != nullptr && !value->is(Node::Kind::object)) {
      context_.add_problem(value->offset, {.broker = name_,
                                           .section = key,
                                           .pointer = at,
                                           .text = "The field '" + std::string(key) + "' must be an object."});
      return nullptr;
    }
    if (value != nullptr && !substituted_) context_.substitute_in(*value, name_, key, at);
    SectionPlace place{.broker = name_,
                       .section = key,
                       .key_prefix = {},
                       .pointer = value == nullptr ? pointer_ : at,
                       .offset = value == nullptr ? node_.offset : value->offset};
    return std::make_shared<SectionReader>(context_.findings, std::move(place), value);
  }

  /// Of what is no placeholder, and probably should be.
  void warn_of_variables(const char* key) {
    const Node* section = node_.find(key);
    if (section == nullptr) return;
    for (const Member& member : section->members) {
      if (!is_shell_variable(member.value)) continue;
      SectionReader(
          context_.findings,
          {.broker = name_, .section = key, .key_prefix = {}, .pointer = pointer_to(pointer_, key), .offset = 0},
          section)
          .warning(member.key, "This is not substituted; an environment variable is written ${NAME}.");
    }
  }

  const BrokerType* find_type() {
    const Node* type = node_.find("broker_type");
    const auto fail = [&](std::string text, std::string hint = {}) {
      const bool absent = type == nullptr || type->is(Node::Kind::null);
      context_.add_problem(absent ? node_.offset : type->offset,
                           {.broker = name_,
                            .key = "broker_type",
                            .pointer = absent ? pointer_ : pointer_to(pointer_, "broker_type"),
                            .text = std::move(text),
                            .hint = std::move(hint)});
      return nullptr;
    };
    if (type == nullptr || type->is(Node::Kind::null)) return fail("`broker_type` not set for broker " + name_);
    if (!type->is(Node::Kind::string)) return fail("The field 'broker_type' must be of type str.");
    const BrokerType* entry = context_.registry.find(type->string);
    if (entry == nullptr && context_.options.allow_unknown) {
      context_.add_warning(
          type->offset, {.broker = name_,
                         .key = "broker_type",
                         .pointer = pointer_to(pointer_, "broker_type"),
                         .text = "There is no broker type '" + type->string + "'. Its own settings are not checked."});
      static const BrokerType any{};  // accepts all settings
      return &any;
    }
    if (entry == nullptr && is_known_elsewhere(type->string)) {
      return fail("The broker type '" + type->string + "' is known, but not built in.",
                  "Add one of your own with BrokerRegistry::add (docs/adding-a-broker.md).");
    }
    if (entry == nullptr) {
      std::string types;
      std::set<std::string, std::less<>> known_types;
      for (const std::string& known : context_.registry.types()) {
        types += (types.empty() ? "" : ", ") + known;
        known_types.insert(known);
      }
      return fail("Invalid `broker_type` provided for broker " + name_ + ": " + type->string +
                      ". Valid broker types are: [" + types + "]",
                  did_you_mean(ascii_lower(type->string), known_types));
    }
    if (!entry->unavailable.empty()) fail(entry->unavailable);  // what else is wrong is told too
    return entry;
  }

  /// What the type's parser makes of the sections; never nullptr, so that the common keys have their problems too.
  std::unique_ptr<BrokerConfig> parse(const BrokerType& entry, SectionReader& conn_details, SectionReader& params) {
    const auto fail = [&](std::string text) {
      context_.add_problem(node_.offset, {.broker = name_, .pointer = pointer_, .text = std::move(text)});
    };
    const std::size_t problems_before = context_.findings.problems.size();
    BrokerSection section{name_, conn_details.section(), params.section(), context_.config.settings.require_tls};
    std::unique_ptr<BrokerConfig> broker;
    try {
      broker = entry.parse ? entry.parse(section) : parse_generic(section);
    } catch (const std::exception& error) {
      const std::string_view reason = error.what();
      const bool quotes = quotes_substitution(node_, reason);
      fail("The broker's configuration cannot be read: " +
           (quotes ? "the reason is not shown, since it quotes a value from a substitution." : std::string(reason)));
    }
    if (broker) return broker;
    if (context_.findings.problems.size() == problems_before) fail("The parser of this broker type returned nothing.");
    return std::make_unique<BrokerConfig>();
  }

  LoadContext& context_;
  const std::string name_;
  Node& node_;
  const std::string pointer_;
  bool substituted_ = false;
};

/// The entry of the brokers map; nullptr: there is none.
const Node* find_entry(const LoadContext& context, const std::string& name) {
  const auto seen = context.names_seen.find(name);
  return seen == context.names_seen.end() ? nullptr : seen->second->value.find(name);
}

/// Puts `more` into the params of an entry. False: one of them is there already with another value.
bool add_params(LoadContext& context, Node& entry, const Node& more, const std::string& name,
                const std::string& pointer) {
  Node no_params;
  no_params.kind = Node::Kind::object;
  const auto is_params = [](const Member& member) { return member.key == "params"; };
  auto params = std::find_if(entry.members.begin(), entry.members.end(), is_params);
  if (params == entry.members.end()) {
    entry.members.push_back({.key = "params", .key_offset = more.offset, .value = no_params});
    params = std::prev(entry.members.end());
  }
  if (params->value.is(Node::Kind::null)) params->value = no_params;
  params->value.offset = more.offset;
  bool all_fit = true;
  for (const Member& member : more.members) {
    const Node* own = params->value.find(member.key);
    if (own == nullptr) {
      params->value.members.push_back(member);
    } else if (canonical_text(*own) != canonical_text(member.value)) {
      all_fit = false;
      context.add_problem(member.key_offset, {.broker = name,
                                              .section = "params",
                                              .key = member.key,
                                              .pointer = pointer_to(pointer_to(pointer, "params"), member.key),
                                              .text = member.key + " cannot be overwritten.",
                                              .hint = "'" + name + "' sets it to another value."});
    }
  }
  return all_fit;
}

void read_brokers(LoadContext& context, Member& map, const std::string& pointer) {
  if (!context.check_object(map, pointer)) return;
  if (map.value.members.empty())
    context.add_warning(map.value.offset, {.pointer = pointer, .text = "No broker is given."});
  for (Member& broker : map.value.members) {
    if (context.findings.full()) return;
    const std::string at = pointer_to(pointer, broker.key);
    if (broker.key.empty()) {
      context.add_problem(broker.key_offset, {.pointer = at, .text = "A broker needs a name."});
    } else if (has_control_character(broker.key)) {
      context.add_problem(broker.key_offset,
                          {.pointer = at, .text = "The name of a broker must not have control characters."});
    } else if (const auto [seen, is_new] = context.names_seen.emplace(broker.key, &map); !is_new) {
      if (seen->second == &map) continue;  // a duplicate key, reported by the parser
      context.add_problem(
          broker.key_offset,
          {.broker = broker.key, .pointer = at, .text = "The broker name '" + broker.key + "' is used twice."});
    } else if (!broker.value.is(Node::Kind::object)) {
      context.add_problem(broker.value.offset,
                          {.broker = broker.key,
                           .pointer = at,
                           .text = "A broker must be an object with broker_type, conn_details and params."});
    } else {
      BrokerReader(context, broker.key, broker.value, at).read();
    }
  }
}

}  // namespace

std::shared_ptr<const BrokerConfig> derive_broker(LoadContext& context, const std::string& name, const Node& more,
                                                  const std::string& pointer) {
  const Node* const base = find_entry(context, name);
  const bool is_incomplete = context.incomplete.contains(name);
  if (base == nullptr || (!is_incomplete && context.config.find(name) == nullptr)) return nullptr;
  Node entry = *base;
  if (!add_params(context, entry, more, name, pointer)) return nullptr;
  Findings& findings = context.findings;
  const std::size_t problems_before = findings.problems.size();
  const std::size_t warnings_before = findings.warnings.size();
  BrokerReader reader(context, name, entry, pointer);
  reader.keep_values();
  std::unique_ptr<BrokerConfig> broker = reader.read_config();
  if (broker != nullptr) broker->derived_by = canonical_text(more);
  findings.warnings.resize(warnings_before);  // its base has had them
  if (is_incomplete) context.completed.insert(name);
  return findings.problems.size() == problems_before ? std::move(broker) : nullptr;
}

RootSection brokers_section() {
  return {.key = "brokers",
          .aliases = {"ACTION_BROKERS"},
          .order = 1,  // after the settings, which hold for every destination
          .missing =
              "There is no brokers map. Expected {\"brokers\": {…}}, {\"ACTION_TRIGGERS\": {\"brokers\": {…}}} "
              "or {\"ACTION_BROKERS\": {…}}.",
          .may_repeat = true,
          .description = "The destinations: each under the name that fire() and triggers call it by.",
          .names = R"(^[^\u0000-\u001f\u007f-\u009f]+$)",
          .read = read_brokers};
}

}  // namespace action_triggers::detail
