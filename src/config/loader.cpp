// From text to a Config, or to every problem of the text.
#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "config/document.hpp"
#include "config/field_table.hpp"
#include "config/generic_config.hpp"
#include "config/section_reader.hpp"
#include "config/substitution.hpp"

namespace action_triggers {
namespace detail {
namespace {

constexpr std::chrono::milliseconds default_timeout{30'000};

class Loader {
 public:
  Loader(std::string_view text, const BrokerRegistry& registry, const ConfigOptions& options)
      : text_(text), registry_(registry), options_(options), positions_(text), findings_{positions_, {}, {}} {}

  /// Throws ConfigError.
  Config load(const std::string& source) {
    if (text_.size() > max_config_bytes) {
      add_problem({}, {}, 0, "The configuration is larger than 1 MiB.");
    } else {
      root_ = parse_document(text_, positions_, findings_.problems);
      if (findings_.problems.empty() || !root_.is(Node::Kind::null)) read_root();
    }
    const auto by_position = [](const ConfigProblem& a, const ConfigProblem& b) {
      return std::tie(a.line, a.column) < std::tie(b.line, b.column);
    };
    std::stable_sort(findings_.problems.begin(), findings_.problems.end(), by_position);
    std::stable_sort(findings_.warnings.begin(), findings_.warnings.end(), by_position);
    if (!findings_.problems.empty()) throw ConfigError(source, std::move(findings_.problems));
    config_.warnings = std::move(findings_.warnings);
    return std::move(config_);
  }

 private:
  void read_root() {
    if (!root_.is(Node::Kind::object)) {
      add_problem({}, {}, root_.offset, "The configuration must be a JSON object with a 'brokers' map.");
      return;
    }
    // Brokers need the settings, so they come second.
    std::vector<std::pair<std::string, Member*>> maps;
    const std::set<std::string, std::less<>> known{"brokers", "settings", "ACTION_TRIGGERS", "ACTION_BROKERS"};
    for (Member& member : root_.members) {
      if (member.key == "brokers" || member.key == "ACTION_BROKERS") {
        maps.emplace_back("", &member);
      } else if (member.key == "settings") {
        read_settings(member.value, pointer_to("", member.key));
      } else if (member.key == "ACTION_TRIGGERS") {
        read_reference_root(member, maps);
      } else {
        add_problem({}, pointer_to("", member.key), member.key_offset,
                    "Unknown field '" + member.key + "'. " + suggestion(member.key, known), member.key);
      }
    }
    if (maps.empty()) {
      add_problem({}, {}, root_.offset,
                  "There is no brokers map. Expected {\"brokers\": {…}}, {\"ACTION_TRIGGERS\": {\"brokers\": {…}}} or "
                  "{\"ACTION_BROKERS\": {…}}.");
    }
    for (auto& [parent, member] : maps) read_brokers(*member, pointer_to(parent, member->key));
  }

  void read_reference_root(Member& root, std::vector<std::pair<std::string, Member*>>& maps) {
    const std::string pointer = pointer_to("", root.key);
    if (!root.value.is(Node::Kind::object)) {
      add_problem({}, pointer, root.value.offset, "The field 'ACTION_TRIGGERS' must be of type dict.", root.key);
      return;
    }
    const std::set<std::string, std::less<>> known{"brokers", "settings"};
    for (Member& member : root.value.members) {
      if (member.key == "brokers") {
        maps.emplace_back(pointer, &member);
      } else if (member.key == "settings") {
        read_settings(member.value, pointer_to(pointer, member.key));
      } else {
        add_problem({}, pointer_to(pointer, member.key), member.key_offset,
                    "Unknown field '" + member.key + "'. " + suggestion(member.key, known), member.key);
      }
    }
  }

  void read_settings(Node& node, const std::string& pointer) {
    if (node.is(Node::Kind::null)) return;
    if (!node.is(Node::Kind::object)) {
      add_problem({}, pointer, node.offset, "The field 'settings' must be of type dict.", "settings");
      return;
    }
    substitute_in_section(node, {}, "settings", pointer);
    auto reader = std::make_shared<SectionReader>(findings_, "", "settings", "", pointer, &node, node.offset);
    ConfigSection section = reader->section();
    for (const char* key : {"max_broker_timeout", "MAX_BROKER_TIMEOUT"}) {  // the reference writes it in capitals
      if (const auto seconds = section.number(key, 0, 31'536'000)) {
        config_.settings.max_broker_timeout = std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
      }
    }
    config_.settings.require_tls = section.boolean("require_tls").value_or(config_.settings.require_tls);
    reader->report_unknown_keys();
  }

  void read_brokers(Member& map, const std::string& pointer) {
    if (map.value.is(Node::Kind::null)) return;
    if (!map.value.is(Node::Kind::object)) {
      add_problem({}, pointer, map.value.offset, "The field '" + map.key + "' must be of type dict.", map.key);
      return;
    }
    for (Member& broker : map.value.members) {
      const std::string broker_pointer = pointer_to(pointer, broker.key);
      if (broker.key.empty()) {
        add_problem({}, broker_pointer, broker.key_offset, "A broker needs a name.");
      } else if (const auto [seen, is_new] = seen_.emplace(broker.key, &map); !is_new) {
        if (seen->second == &map) continue;  // a duplicate key, reported by the parser
        add_problem(broker.key, broker_pointer, broker.key_offset,
                    "The broker name '" + broker.key + "' is used twice.");
      } else if (!broker.value.is(Node::Kind::object)) {
        add_problem(broker.key, broker_pointer, broker.value.offset,
                    "A broker must be of type dict, with broker_type, conn_details and params.");
      } else {
        read_broker(broker.key, broker.value, broker_pointer);
      }
    }
  }

  void read_broker(const std::string& name, Node& node, const std::string& pointer) {
    const std::set<std::string, std::less<>> known{"broker_type", "conn_details", "params"};
    for (const Member& member : node.members) {
      if (!known.contains(member.key)) {
        add_problem(name, pointer_to(pointer, member.key), member.key_offset,
                    "Unknown field '" + member.key + "'. " + suggestion(member.key, known), member.key);
      }
    }
    auto conn_details = read_section(name, "conn_details", node, pointer);
    auto params = read_section(name, "params", node, pointer);
    const BrokerRegistry::Entry* entry = find_type(name, node, pointer);
    if (entry == nullptr || !conn_details || !params) return;

    const std::size_t problems_before = findings_.problems.size();
    BrokerSection section{name, conn_details->section(), params->section(), config_.settings.require_tls};
    std::unique_ptr<BrokerConfig> broker;
    try {
      broker = entry->parse ? entry->parse(section) : parse_generic(section);
    } catch (const std::exception& error) {
      add_problem(name, pointer, node.offset,
                  std::string("The broker's configuration cannot be read: ") + error.what());
    }
    if (!broker) {
      if (findings_.problems.size() == problems_before) {
        add_problem(name, pointer, node.offset, "The parser of this broker type returned nothing.");
      }
      broker = std::make_unique<BrokerConfig>();  // the common keys still have their problems
    }
    ConfigSection common = params->section();
    read_common_fields(common, *broker);
    conn_details->report_unknown_keys();
    params->report_unknown_keys();
    const auto cap = config_.settings.max_broker_timeout;
    if (cap) broker->timeout = common.has("timeout_secs") ? std::min(broker->timeout, *cap) : *cap;
    if (!cap && !common.has("timeout_secs")) broker->timeout = default_timeout;
    broker->name = name;
    broker->broker_type = lower_type(node);
    if (broker->connection_key.empty()) {
      broker->connection_key = conn_details->object() == nullptr ? "{}" : canonical_text(*conn_details->object());
    }
    config_.brokers.emplace(name, std::move(broker));
  }

  /// nullptr: it is not an object.
  std::shared_ptr<SectionReader> read_section(const std::string& broker, const char* key, Node& node,
                                              const std::string& pointer) {
    const std::string section_pointer = pointer_to(pointer, key);
    const auto found =
        std::find_if(node.members.begin(), node.members.end(), [&](const Member& member) { return member.key == key; });
    Node* value = found == node.members.end() || found->value.is(Node::Kind::null) ? nullptr : &found->value;
    if (value != nullptr && !value->is(Node::Kind::object)) {
      add_problem(broker, section_pointer, value->offset, "The field '" + std::string(key) + "' must be of type dict.",
                  {}, key);
      return nullptr;
    }
    if (value != nullptr) substitute_in_section(*value, broker, key, section_pointer);
    return std::make_shared<SectionReader>(findings_, broker, key, "", value == nullptr ? pointer : section_pointer,
                                           value, value == nullptr ? node.offset : value->offset);
  }

  void substitute_in_section(Node& node, const std::string& broker, const std::string& section,
                             const std::string& section_pointer) {
    substitute(node, options_, section_pointer, [&](const std::string& pointer, std::size_t offset, std::string text) {
      std::string key = pointer.substr(section_pointer.size() + 1);
      std::replace(key.begin(), key.end(), '/', '.');
      add_problem(broker, pointer, offset, std::move(text), key, section);
    });
  }

  const BrokerRegistry::Entry* find_type(const std::string& name, const Node& node, const std::string& pointer) {
    const Node* type = node.find("broker_type");
    if (type == nullptr || type->is(Node::Kind::null)) {
      add_problem(name, pointer, node.offset, "`broker_type` not set for broker " + name, "broker_type");
      return nullptr;
    }
    const std::string type_pointer = pointer_to(pointer, "broker_type");
    if (!type->is(Node::Kind::string)) {
      add_problem(name, type_pointer, type->offset, "The field 'broker_type' must be of type str.", "broker_type");
      return nullptr;
    }
    const BrokerRegistry::Entry* entry = registry_.find(type->string);
    if (entry == nullptr) {
      std::string types;
      for (const std::string& known : registry_.types()) types += (types.empty() ? "" : ", ") + known;
      add_problem(name, type_pointer, type->offset,
                  "Invalid `broker_type` provided for broker " + name + ": " + type->string +
                      ". Valid broker types are: [" + types + "]",
                  "broker_type");
      return nullptr;
    }
    if (!entry->unavailable.empty()) {
      add_problem(name, type_pointer, type->offset, entry->unavailable, "broker_type");
    }
    return entry;
  }

  static std::string lower_type(const Node& node) {
    std::string type = node.find("broker_type")->string;
    std::transform(type.begin(), type.end(), type.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return type;
  }

  void add_problem(std::string broker, std::string pointer, std::size_t offset, std::string text, std::string key = {},
                   std::string section = {}) {
    ConfigProblem problem{.broker = std::move(broker),
                          .section = std::move(section),
                          .key = std::move(key),
                          .pointer = std::move(pointer),
                          .text = std::move(text)};
    positions_.locate(offset, problem);
    findings_.problems.push_back(std::move(problem));
  }

  const std::string_view text_;
  const BrokerRegistry& registry_;
  const ConfigOptions& options_;
  const TextPositions positions_;
  Findings findings_;
  Node root_;
  Config config_;
  std::map<std::string, const Member*> seen_;  // names, and the map that each stood in
};

void flatten(const Node& node, const std::string& prefix, std::map<std::string, std::string>& to) {
  for (const Member& member : node.members) {
    const std::string key = prefix + member.key;
    if (member.value.is(Node::Kind::object)) {
      flatten(member.value, key + ".", to);
    } else {
      to[key] = member.value.is(Node::Kind::string) ? member.value.string : canonical_text(member.value);
    }
  }
}

/// Knows every key of a section, common ones included.
void take_all(ConfigSection& section, std::map<std::string, std::string>& to) {
  for (const std::string& key : section.keys()) {
    const Node* value = SectionReader::of(section).look_up(key);
    if (value == nullptr) continue;
    Node single;
    single.kind = Node::Kind::object;
    single.members.push_back({key, 0, *value});
    flatten(single, "", to);
  }
}

}  // namespace

std::unique_ptr<BrokerConfig> parse_generic(BrokerSection& section) {
  auto config = std::make_unique<GenericConfig>();
  take_all(section.conn_details, config->conn_details);
  take_all(section.params, config->params);
  return config;
}

}  // namespace detail

Config parse_config(std::string_view text, const BrokerRegistry& registry, const ConfigOptions& options) {
  return detail::Loader(text, registry, options).load({});
}

Config parse_config(std::string_view text) { return parse_config(text, BrokerRegistry::builtin()); }

Config load_config(const std::string& path, const BrokerRegistry& registry, const ConfigOptions& options) {
  const auto fail = [&](std::string text) {
    ConfigProblem problem;
    problem.text = std::move(text);
    throw ConfigError(path, {std::move(problem)});
  };
  const std::optional<std::string> text = detail::read_file(path);
  if (!text) fail("The file cannot be read.");
  return detail::Loader(*text, registry, options).load(path);
}

Config load_config(const std::string& path) { return load_config(path, BrokerRegistry::builtin()); }

}  // namespace action_triggers
