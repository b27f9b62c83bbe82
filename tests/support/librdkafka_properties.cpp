// SPDX-License-Identifier: MIT
#include "support/librdkafka_properties.hpp"

#include <librdkafka/rdkafka.h>
#include <stdio.h>  // open_memstream

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "brokers/kafka/kafka_properties.hpp"

namespace action_triggers::tests {
namespace {

std::string shown_properties() {
  char* text = nullptr;
  std::size_t size = 0;
  FILE* file = ::open_memstream(&text, &size);
  if (file == nullptr) throw std::runtime_error("open_memstream");
  rd_kafka_conf_properties_show(file);
  ::fclose(file);
  std::string copy(text, size);
  ::free(text);
  return copy;
}

std::string trimmed(const std::string& cell) {
  const std::size_t begin = cell.find_first_not_of(' ');
  return begin == std::string::npos ? std::string() : cell.substr(begin, cell.find_last_not_of(' ') + 1 - begin);
}

}  // namespace

std::vector<LibrdkafkaProperty> librdkafka_properties() {
  std::vector<LibrdkafkaProperty> properties;
  std::istringstream lines(shown_properties());
  // Property | C/P | Range | Default | Importance | Description; C: consumers', P: producers', *: both
  for (std::string line; std::getline(lines, line);) {
    const std::size_t bar = line.find('|');
    if (bar == std::string::npos) continue;
    const std::string name = trimmed(line.substr(0, bar));
    const std::string scope = trimmed(line.substr(bar + 1, line.find('|', bar + 1) - bar - 1));
    if (scope == "*" || scope == "P" || scope == "C") properties.push_back({name, scope != "C"});
  }
  return properties;
}

std::set<std::string> documented_properties() {
  std::ifstream file(ACTION_TRIGGERS_SOURCE_DIR "/tests/support/librdkafka_properties.txt");
  std::set<std::string> names;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with('#')) names.insert(line);
  }
  if (names.empty()) throw std::runtime_error("no librdkafka_properties.txt");
  return names;
}

std::vector<std::string> unclassified_properties() {
  std::set<std::string> names = documented_properties();
  for (const LibrdkafkaProperty& property : librdkafka_properties()) {
    if (property.is_for_producers) names.insert(property.name);
  }
  std::erase_if(names, [](const std::string& name) { return detail::find_kafka_property(name) != nullptr; });
  return {names.begin(), names.end()};
}

}  // namespace action_triggers::tests
