// SPDX-License-Identifier: MIT
// From the tables of fields to a JSON schema (draft-07). What a key's value must be like stands in its row; here is
// only how a schema says it.
#include "action_triggers/config_schema.hpp"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "config/field_table.hpp"
#include "config/root_section.hpp"

namespace action_triggers {
namespace detail {
namespace {

using Json = nlohmann::ordered_json;
using Fields = std::vector<const FieldInfo*>;

/// A text that stands for something else, or for nobody knows what, until it is loaded.
constexpr const char* placeholder = R"(\$\{[^}]+\}|\{\{.*\}\})";
constexpr const char* or_integer = R"(|^-?[0-9]+$)";
constexpr const char* or_number = R"(|^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$)";

std::vector<std::string> split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + separator.size());
  }
}

/// What stands in backticks, one after another.
std::vector<std::string> in_backticks(std::string_view text) {
  const std::vector<std::string> parts = split(text, "`");
  std::vector<std::string> words;
  for (std::size_t i = 1; i < parts.size(); i += 2) words.push_back(parts[i]);
  return words;
}

/// FieldInfo::values, taken to pieces.
struct Values {
  std::vector<std::string> choices;
  std::vector<std::string> examples;
  std::optional<Json> min;
  std::optional<Json> max;
  bool may_be_empty = false;
  bool in_any_case = false;
};

Values values_of(const FieldInfo& field) {
  Values values;
  const std::string& text = field.values;
  const std::size_t such_as = std::min(text.find("such as `"), text.size());
  const std::string accepted = text.substr(0, such_as);
  values.examples = in_backticks(std::string_view(text).substr(such_as));
  values.choices = in_backticks(accepted);
  values.may_be_empty = accepted.find("may be empty") != std::string::npos;
  values.in_any_case = accepted.find("in any case") != std::string::npos;
  const std::vector<std::string> ends = split(accepted, " to ");
  if (ends.size() == 2) {
    values.min = Json::parse(ends[0], nullptr, /*allow_exceptions=*/false);
    values.max = Json::parse(ends[1], nullptr, /*allow_exceptions=*/false);
  }
  return values;
}

/// An expression for the word in any case.
std::string any_case(const std::string& word) {
  std::string expression = "^";
  for (const char c : word) {
    const std::string one(1, c);
    const std::string lower = ascii_lower(one);
    const char upper = lower[0] >= 'a' && lower[0] <= 'z' ? static_cast<char>(lower[0] - 'a' + 'A') : lower[0];
    expression += "[" + lower + (upper == lower[0] ? "" : std::string(1, upper)) + "]";
  }
  return expression + "$";
}

/// Markdown without its links, which lead nowhere in an editor.
std::string without_links(std::string text) {
  for (std::size_t middle = text.find("]("); middle != std::string::npos; middle = text.find("](", middle)) {
    text.erase(middle, text.find(')', middle) + 1 - middle);
    text.erase(text.rfind('[', middle), 1);
  }
  return text;
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// The rest of a text that begins with `begin`; nothing: it does not.
std::optional<std::string> after(const std::string& text, std::string_view begin) {
  return text.starts_with(begin) ? std::optional(text.substr(begin.size())) : std::nullopt;
}

// ------------------------------------------------------------------------------------------------------------- values

Json object_of(const Fields& fields, std::size_t depth);

/// The schema of a value of one of these types, of which there is at most one list and one dict.
class ValueSchema {
 public:
  /// `keys`: of the dict, or of those in the list; their own keys begin at `depth` dots.
  ValueSchema(const Values& values, const Fields& keys, std::size_t depth)
      : values_(values), keys_(keys), depth_(depth) {}

  Json of(const std::vector<std::string>& types) {
    for (const std::string& type : types) add(type);
    if (types_.empty()) return Json::object();  // any
    const bool has_text = contains(types, "str");
    if (!has_text && !pattern_.empty()) add_type("string");
    schema_["type"] = types_.size() == 1 ? Json(types_[0]) : Json(types_);
    if (!has_text && !pattern_.empty()) schema_["pattern"] = pattern_;
    if (has_text && values_.choices.empty() && !values_.may_be_empty) schema_["minLength"] = 1;
    if (has_text && !values_.choices.empty()) add_choices(types);
    return std::move(schema_);
  }

 private:
  void add(const std::string& type) {
    if (type == "str") {
      add_type("string");
    } else if (type == "int") {
      add_number("integer", or_integer);
    } else if (type == "float") {
      add_number("number", or_number);
    } else if (type == "bool") {
      add_type("boolean");
      add_pattern("");
    } else if (type == "null") {
      add_type("null");
    } else if (type == "scalar") {
      for (const char* one : {"string", "number", "boolean"}) add_type(one);
    } else if (type == "dict") {
      add_type("object");
      if (!keys_.empty()) schema_.update(object_of(keys_, depth_));
    } else if (const auto in_dict = after(type, "dict of ")) {
      add_type("object");
      schema_["additionalProperties"] = item(*in_dict);
    } else if (const auto in_list = after(type, "list of ")) {
      add_list(*in_list);
    }
  }

  /// Numbers may stand in strings, too.
  void add_number(const char* type, const char* as_text) {
    add_type(type);
    add_pattern(as_text);
    if (values_.min && values_.max) {
      schema_["minimum"] = *values_.min;
      schema_["maximum"] = *values_.max;
    }
  }

  void add_list(const std::string& of) {
    add_type("array");
    if (const auto each = after(of, "2 ")) {
      schema_["items"] = item(*each);
      schema_["minItems"] = schema_["maxItems"] = 2;
      return;
    }
    schema_["items"] = item(of);
    if (!values_.may_be_empty) schema_["minItems"] = 1;
    if (of != "str") return;
    add_type("string");  // one string is as good as a list with it
    if (values_.choices.empty()) {
      schema_["minLength"] = 1;
    } else {
      add_choices({"list of str"});
    }
  }

  /// An element of the list or dict: "str and dict".
  Json item(const std::string& types) const {
    std::vector<std::string> each;
    for (const std::string& part : split(types, " and ")) {
      for (std::string& type : split(part, ", ")) each.push_back(std::move(type));
    }
    return ValueSchema(values_, keys_, depth_).of(each);
  }

  void add_choices(const std::vector<std::string>& types) {
    Json any = Json::array();
    Json words = values_.choices;
    for (const std::string& choice : values_.choices) {
      const auto number = parse_number<std::int64_t>(choice);
      if (contains(types, "int") && number) words.push_back(*number);
    }
    any.push_back({{"enum", std::move(words)}});
    any.push_back({{"type", "string"}, {"pattern", placeholder}});
    if (values_.in_any_case) {
      for (const std::string& choice : values_.choices)
        any.push_back({{"type", "string"}, {"pattern", any_case(choice)}});
    }
    Json others = Json::array();
    for (const std::string& type : types_) {
      if (type != "string" && type != "integer") others.push_back(type);
    }
    if (!others.empty()) any.push_back({{"type", std::move(others)}});
    schema_["anyOf"] = std::move(any);
  }

  void add_type(const char* type) {
    if (!contains(types_, type)) types_.emplace_back(type);
  }
  void add_pattern(const std::string& more) { pattern_ = (pattern_.empty() ? placeholder : pattern_) + more; }

  const Values& values_;
  const Fields& keys_;
  const std::size_t depth_;
  Json schema_ = Json::object();
  std::vector<std::string> types_;
  std::string pattern_;  // of strings, where they only stand for something else
};

/// A default that is a value, and not a description of one.
std::optional<Json> default_of(const FieldInfo& field, const Values& values) {
  const std::string& text = field.default_value;
  const bool is_text = field.type == "str" || field.type == "str or null" || field.type == "str or int";
  if (is_text && !values.choices.empty())
    return contains(values.choices, text) ? std::optional(Json(text)) : std::nullopt;
  if (is_text) return text.empty() || text.find(' ') != std::string::npos ? std::nullopt : std::optional(Json(text));
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return value.is_discarded() ? std::nullopt : std::optional(std::move(value));
}

/// The schema of a key. `keys`: the rows of what stands inside.
Json schema_of(const FieldInfo& field, const Fields& keys, std::size_t depth) {
  const Values values = values_of(field);
  std::vector<std::string> types = split(field.type, " or ");
  if (!field.required) types.emplace_back("null");
  if (field.type == "any JSON") types.clear();
  Json schema = Json::object();
  std::string description = without_links(field.description);
  const std::optional<Json> value = default_of(field, values);
  if (!value && !field.default_value.empty()) {
    description += (description.empty() ? "" : " ") + std::string("Default: ") + field.default_value + ".";
  }
  if (!description.empty()) schema["description"] = std::move(description);
  schema.update(ValueSchema(values, keys, depth).of(types));
  if (value) schema["default"] = *value;
  if (!values.examples.empty()) schema["examples"] = values.examples;
  return schema;
}

// ------------------------------------------------------------------------------------------------------------ objects

/// The part of a key behind `depth` dots.
std::string_view key_at(const std::string& key, std::size_t depth) {
  std::string_view rest = key;
  for (std::size_t i = 0; i < depth; ++i) rest.remove_prefix(rest.find('.') + 1);
  return rest;
}

/// Adds that the object's own keys that are required are there, under one of their names.
void add_required(const Fields& fields, std::size_t depth, Json& object) {
  for (const FieldInfo* field : fields) {
    const std::string_view key = key_at(field->key, depth);
    if (!field->required || key.find('.') != std::string_view::npos) continue;
    if (field->aliases.empty()) {
      object["required"].push_back(key);
      continue;
    }
    Json any = Json::array({{{"required", {key}}}});
    for (const std::string& alias : field->aliases) any.push_back({{"required", {key_at(alias, depth)}}});
    object["allOf"].push_back({{"anyOf", std::move(any)}});
  }
}

/// What the rows say of one object: those whose key has `depth` dots are its keys, longer ones stand inside of these.
/// Other programs' own keys have dots that mean nothing.
Json object_of(const Fields& fields, std::size_t depth) {
  static const FieldInfo no_row{{}, {}, {}, "dict", {}, {}, false, {}};
  Json properties = Json::object();
  std::vector<std::string> done;
  for (const FieldInfo* field : fields) {
    const std::string_view rest = key_at(field->key, depth);
    const std::string name(field->type == "scalar" ? field->key : rest.substr(0, rest.find('.')));
    if (contains(done, name)) continue;
    done.push_back(name);
    const FieldInfo* own = &no_row;
    Fields inside;
    for (const FieldInfo* other : fields) {
      const std::string_view its = key_at(other->key, depth);
      if (its == name) own = other;
      if (other->type != "scalar" && its.starts_with(name + ".")) inside.push_back(other);
    }
    properties[name] = schema_of(*own, inside, depth + 1);
    for (const std::string& alias : own->aliases) {
      const std::string other_name(key_at(alias, depth));
      Json same = properties[name];
      same["description"] = "Another name of `" + name + "`.";
      properties[other_name] = std::move(same);
      done.push_back(other_name);
    }
  }
  Json object{{"properties", std::move(properties)}, {"additionalProperties", false}};
  add_required(fields, depth, object);
  return object;
}

// ------------------------------------------------------------------------------------------------------------ brokers

Json object_or_null() { return Json::array({"object", "null"}); }

/// What conn_details and params are in a broker of this type.
Json rules_of(const BrokerType& type) {
  if (!type.fields) return Json::object();
  Fields all = type.fields();
  for (const FieldInfo* field : common_fields()) all.push_back(field);
  Fields connection;
  std::vector<FieldInfo> in_destination;
  for (const FieldInfo* field : all) {
    if (field->section == in_conn_details) {
      connection.push_back(field);
    } else {
      in_destination.push_back(*field);
      const bool is_nested = field->key.find('.') != std::string::npos;
      in_destination.back().required = field->required && is_nested;  // a trigger's target may supply params
    }
  }
  Fields destination;
  for (const FieldInfo& field : in_destination) destination.push_back(&field);

  const bool is_needed =
      std::any_of(connection.begin(), connection.end(), [](const auto* one) { return one->required; });
  Json conn_details{{"type", is_needed ? Json("object") : object_or_null()}};
  Json params{{"type", object_or_null()}};
  conn_details.update(object_of(connection, 0));
  params.update(object_of(destination, 0));
  Json rules{{"properties", {{in_conn_details, std::move(conn_details)}, {in_params, std::move(params)}}}};
  if (is_needed) rules["required"].push_back(in_conn_details);
  return rules;
}

Json broker_entry(const BrokerRegistry& registry) {
  const std::vector<std::string> types = registry.types();
  Json type_names = Json::array({{{"enum", types}}});
  Json rules = Json::array();
  for (const std::string& type : types) {
    type_names.push_back({{"type", "string"}, {"pattern", any_case(type)}});
    const Json is_this{{"properties", {{"broker_type", {{"type", "string"}, {"pattern", any_case(type)}}}}},
                       {"required", {"broker_type"}}};
    rules.push_back({{"if", is_this}, {"then", rules_of(*registry.find(type))}});
  }
  return {
      {"type", "object"},
      {"properties",
       {{"broker_type", {{"description", "What kind of broker it is."}, {"anyOf", std::move(type_names)}}},
        {in_conn_details,
         {{"description", "The connection: destinations with equal ones share it."}, {"type", object_or_null()}}},
        {in_params, {{"description", "The destination: where messages go, and how."}, {"type", object_or_null()}}}}},
      {"required", {"broker_type"}},
      {"additionalProperties", false},
      {"allOf", std::move(rules)}};
}

Json section_schema(const RootSection& section, const BrokerRegistry& registry) {
  Json entry;
  if (section.fields == nullptr) {
    entry = broker_entry(registry);
  } else {
    entry = object_of(section.fields(), 0);
  }
  Json schema{{"title", section.key}, {"description", section.description}, {"type", object_or_null()}};
  if (section.names.empty()) {
    schema.update(entry);
  } else {
    entry["type"] = "object";
    schema["propertyNames"] = {{"pattern", section.names}};
    schema["additionalProperties"] = std::move(entry);
  }
  return schema;
}

}  // namespace
}  // namespace detail

std::string config_schema(const BrokerRegistry& registry) {
  using detail::Json;
  Json definitions = Json::object();
  Json properties = Json::object();
  Json aliases = Json::object();
  Json inside = Json::object();  // of ACTION_TRIGGERS
  Json has_what_it_must = Json::array();
  for (const detail::RootSection& section : detail::root_sections()) {
    definitions[section.key] = detail::section_schema(section, registry);
    const Json reference{{"$ref", "#/definitions/" + section.key}};
    properties[section.key] = inside[section.key] = reference;
    for (const std::string& alias : section.aliases) aliases[alias] = reference;
    if (section.missing.empty()) continue;
    Json places = Json::array({{{"required", {section.key}}}});
    for (const std::string& alias : section.aliases) places.push_back({{"required", {alias}}});
    const Json there{{"type", "object"}, {"required", {section.key}}};
    places.push_back({{"properties", {{detail::reference_root, there}}}, {"required", {detail::reference_root}}});
    has_what_it_must.push_back({{"anyOf", std::move(places)}});
  }
  properties.update(aliases);
  properties[std::string(detail::reference_root)] = {{"description", "As in the settings of django-action-triggers."},
                                                     {"type", "object"},
                                                     {"properties", std::move(inside)},
                                                     {"additionalProperties", false}};
  Json all_properties{
      {std::string(detail::schema_key), {{"description", "Where this schema is."}, {"type", "string"}}}};
  all_properties.update(properties);
  const Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"},
                    {"title", "A configuration of action_triggers"},
                    {"type", "object"},
                    {"properties", std::move(all_properties)},
                    {"additionalProperties", false},
                    {"allOf", std::move(has_what_it_must)},
                    {"definitions", std::move(definitions)}};
  return schema.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace action_triggers
