// SPDX-License-Identifier: MIT
/// The properties that the linked librdkafka documents.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace action_triggers::tests {

struct LibrdkafkaProperty {
  std::string name;  // aliases are listed too, under their own names
  bool is_for_producers = false;
};

/// Read from what rd_kafka_conf_properties_show() prints: client and topic properties.
std::vector<LibrdkafkaProperty> librdkafka_properties();

/// Producers' properties that are not in kafka_properties(), so that nobody decided about them.
std::vector<std::string> unclassified_properties();

}  // namespace action_triggers::tests
