// SPDX-License-Identifier: MIT
// Sections of any shape as maps of text.
#include "config/generic_config.hpp"

#include <map>
#include <string>

#include "config/document.hpp"
#include "config/section_reader.hpp"

namespace action_triggers::detail {
namespace {

void flatten(const Node& node, const std::string& key, std::map<std::string, std::string>& to) {
  if (node.is(Node::Kind::object)) {
    for (const Member& member : node.members) flatten(member.value, key + "." + member.key, to);
  } else {
    to[key] = node.is(Node::Kind::string) ? node.string : canonical_text(node);
  }
}

/// Knows every key of a section, common ones included.
void take_all(ConfigSection& section, std::map<std::string, std::string>& to) {
  for (const std::string& key : section.keys()) {
    if (const Node* value = SectionReader::of(section).look_up(key)) flatten(*value, key, to);
  }
}

}  // namespace

std::unique_ptr<BrokerConfig> parse_generic(BrokerSection& section) {
  auto config = std::make_unique<GenericConfig>();
  take_all(section.conn_details, config->conn_details);
  take_all(section.params, config->params);
  return config;
}

}  // namespace action_triggers::detail
