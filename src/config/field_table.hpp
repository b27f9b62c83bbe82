// SPDX-License-Identifier: MIT
/// One table of fields per backend: it parses, it complains, and it is the reference page.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "action_triggers/broker_config.hpp"
#include "action_triggers/config_section.hpp"

namespace action_triggers::detail {

template <class Config>
struct Field : FieldInfo {
  /// Reads `key` (or the alias that the file uses) into the configuration.
  std::function<void(ConfigSection& section, std::string_view key, Config& config)> read;

  Field&& alias(std::string name) && {
    aliases.push_back(std::move(name));
    return std::move(*this);
  }
  Field&& require() && {
    required = true;
    return std::move(*this);
  }
};

template <class Config>
using FieldTable = std::vector<Field<Config>>;

constexpr std::string_view in_conn_details = "conn_details";
constexpr std::string_view in_params = "params";

// Rows. `default_value` is for the reference page; the value itself is the member's initialiser.

template <class Config, class Base>
Field<Config> text_field(std::string_view section, std::string key, std::string Base::*member,
                         std::string default_value, std::string description) {
  return {{section, std::move(key), {}, "str", std::move(default_value), std::move(description), false, {}},
          [member](ConfigSection& from, std::string_view name, Config& config) {
            if (auto text = from.string(name)) config.*member = std::move(*text);
          }};
}

template <class Config, class Base>
Field<Config> secret_field(std::string_view section, std::string key, Secret Base::*member, std::string default_value,
                           std::string description) {
  return {{section, std::move(key), {}, "str", std::move(default_value), std::move(description), false, "may be empty"},
          [member](ConfigSection& from, std::string_view name, Config& config) {
            if (auto secret = from.secret(name)) config.*member = std::move(*secret);
          }};
}

template <class Config, class Base>
Field<Config> flag_field(std::string_view section, std::string key, bool Base::*member, std::string default_value,
                         std::string description) {
  return {{section, std::move(key), {}, "bool", std::move(default_value), std::move(description), false, {}},
          [member](ConfigSection& from, std::string_view name, Config& config) {
            if (auto flag = from.boolean(name)) config.*member = *flag;
          }};
}

/// Any member that a std::int64_t converts to: integers, durations in their own unit, optionals of both.
template <class Config, class Base, class Value>
Field<Config> integer_field(std::string_view section, std::string key, Value Base::*member, std::int64_t min,
                            std::int64_t max, std::string default_value, std::string description) {
  return {{section,
           std::move(key),
           {},
           "int",
           std::move(default_value),
           std::move(description),
           false,
           std::to_string(min) + " to " + std::to_string(max)},
          [=](ConfigSection& from, std::string_view name, Config& config) {
            if (auto number = from.integer(name, min, max)) {
              if constexpr (requires { typename Value::value_type; }) {
                config.*member = static_cast<typename Value::value_type>(*number);
              } else {
                config.*member = static_cast<Value>(*number);
              }
            }
          }};
}

/// Any other field: says how it is read.
template <class Config>
Field<Config> custom_field(std::string_view section, std::string key, std::string type, std::string values,
                           std::string default_value, std::string description,
                           std::function<void(ConfigSection&, std::string_view, Config&)> read) {
  return {{section,
           std::move(key),
           {},
           std::move(type),
           std::move(default_value),
           std::move(description),
           false,
           std::move(values)},
          std::move(read)};
}

/// Reads seconds, fractions included, from a millisecond to a year.
std::optional<std::chrono::milliseconds> read_seconds(ConfigSection& section, std::string_view key);

/// Reads one value out of a few; the choice that was made, or nothing.
std::optional<std::string> read_choice(ConfigSection& section, std::string_view key,
                                       const std::vector<std::string>& choices);

/// One value of a few, by their names in the file; the first is the default.
template <class Config, class Base, class Choice>
Field<Config> choice_field(std::string_view section, std::string key, Choice Base::*member,
                           const std::vector<std::pair<std::string, Choice>>& choices, std::string description) {
  std::vector<std::string> names;
  std::string values;
  for (const auto& [name, value] : choices) {
    values += (values.empty() ? "`" : name == choices.back().first ? " or `" : ", `") + name + "`";
    names.push_back(name);
  }
  return custom_field<Config>(section, std::move(key), "str", values, names.front(), std::move(description),
                              [=](ConfigSection& from, std::string_view name, Config& config) {
                                const auto text = read_choice(from, name, names);
                                for (const auto& [choice, value] : choices) {
                                  if (text == choice) config.*member = value;
                                }
                              });
}

/// The name under which the file gives the field: the key or one of its aliases; the key if it gives none. Two at once
/// are a problem. Makes all of them known.
std::string spelling_of(const FieldInfo& field, ConfigSection& section);

template <class Config>
void read_fields(const FieldTable<Config>& table, BrokerSection& broker, Config& config) {
  for (const Field<Config>& field : table) {
    ConfigSection& section = field.section == in_params ? broker.params : broker.conn_details;
    const std::string name = spelling_of(field, section);
    if (!section.has(name)) {
      if (field.required) section.missing(name);
      continue;
    }
    field.read(section, name, config);
  }
}

/// The rows as Markdown, as docs/configuration.md has them: all but those of type scalar.
std::string reference_table(const std::vector<const FieldInfo*>& fields);

template <class Config>
std::vector<const FieldInfo*> infos(const FieldTable<Config>& table) {
  return {[&] {
    std::vector<const FieldInfo*> result;
    for (const FieldInfo& field : table) result.push_back(&field);
    return result;
  }()};
}

// The tables themselves.
std::vector<const FieldInfo*> common_fields();

/// Reads the keys of params that every broker type has.
void read_common_fields(ConfigSection& params, BrokerConfig& config);

}  // namespace action_triggers::detail
