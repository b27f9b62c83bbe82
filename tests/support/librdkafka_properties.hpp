// SPDX-License-Identifier: MIT
/// The properties of librdkafka: of the one that is linked, and of the versions in librdkafka_properties.txt.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace action_triggers::tests {

struct LibrdkafkaProperty {
  std::string name;  // aliases are listed too, under their own names
  bool is_for_producers = false;
};

/// Those of the linked one, read from what rd_kafka_conf_properties_show() prints: client and topic properties.
std::vector<LibrdkafkaProperty> librdkafka_properties();

/// Producers' properties of all versions in librdkafka_properties.txt.
std::set<std::string> documented_properties();

/// Producers' properties, linked or documented, that are not in kafka_properties(), so that nobody decided about them.
std::vector<std::string> unclassified_properties();

}  // namespace action_triggers::tests
