// SPDX-License-Identifier: MIT
#include "triggers/text_template.hpp"

namespace action_triggers::detail {

TextTemplate::TextTemplate(TemplateReader& reader, const Node& node, const ConfigProblem& where) {
  if (node.is(Node::Kind::string)) {
    reader.read_text(node, where, pieces_);
  } else {
    reader.add_problem(node, where, "The field '" + where.key + "' must be a string.");
  }
}

const std::string* TextTemplate::constant() const noexcept {
  return pieces_.size() == 1 ? &pieces_.front().text : nullptr;  // the first is a literal
}

}  // namespace action_triggers::detail
