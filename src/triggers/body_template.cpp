// SPDX-License-Identifier: MIT
#include "triggers/body_template.hpp"

namespace action_triggers::detail {

BodyTemplate::BodyTemplate(TemplateReader& reader, const Node& node, const ConfigProblem& where)
    : is_json_(!node.is(Node::Kind::string)) {
  if (is_json_) {
    reader.read_json(node, where, pieces_);
  } else {
    reader.read_text(node, where, pieces_);
  }
}

}  // namespace action_triggers::detail
