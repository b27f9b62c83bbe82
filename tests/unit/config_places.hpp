// SPDX-License-Identifier: MIT
/// Every place of a configuration in which a value can stand, by the tables that the loader itself reads by.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "action_triggers/broker_registry.hpp"
#include "action_triggers/config.hpp"
#include "brokers/kafka/kafka_properties.hpp"
#include "config/field_table.hpp"

namespace action_triggers::tests {

struct Place {
  std::string type;
  std::string section;
  std::string key;
};

/// Every key of every type, librdkafka's own included. What a later table has is here by itself.
inline std::vector<Place> places(const BrokerRegistry& registry) {
  std::vector<Place> all;
  for (const std::string& type : registry.types()) {
    const BrokerType& entry = *registry.find(type);
    std::set<std::pair<std::string, std::string>> keys;
    const auto add = [&](const std::vector<const FieldInfo*>& fields) {
      for (const FieldInfo* field : fields) {
        if (field->type == "scalar") continue;  // added below
        keys.emplace(field->section, field->key.substr(0, field->key.find('.')));
        const bool is_nested = field->key.find('.') != std::string::npos;
        for (const std::string& alias : field->aliases) {
          if (!is_nested) keys.emplace(field->section, alias);
        }
      }
    };
    add(detail::common_fields());
    if (entry.fields) add(entry.fields());
    if (type == "kafka") {
      for (const detail::KafkaProperty& property : detail::kafka_properties()) {
        keys.emplace("conn_details", property.name);
      }
    }
    for (const auto& [section, key] : keys) all.push_back({type, section, key});
  }
  return all;
}

}  // namespace action_triggers::tests
