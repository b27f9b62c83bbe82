// SPDX-License-Identifier: MIT
#include "config/document.hpp"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

namespace action_triggers::detail {

using nlohmann::json;

const Node* Node::find(std::string_view key) const noexcept {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const Member& member) { return member.key == key; });
  return found == members.end() ? nullptr : &found->value;
}

TextPositions::TextPositions(std::string_view text) : line_starts_{0} {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') line_starts_.push_back(i + 1);
  }
}

void TextPositions::locate(std::size_t offset, ConfigProblem& problem) const {
  const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  problem.line = static_cast<std::size_t>(next - line_starts_.begin());
  problem.column = offset - *std::prev(next) + 1;
}

std::string pointer_to(std::string_view parent, std::string_view key) {
  std::string result = std::string(parent) + "/";
  for (const char c : key) {
    if (c == '~') {
      result += "~0";
    } else if (c == '/') {
      result += "~1";
    } else {
      result += c;
    }
  }
  return result;
}

std::string pointer_to(std::string_view parent, std::size_t index) {
  return std::string(parent) + "/" + std::to_string(index);
}

std::string quote_json(std::string_view text) {
  return json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string canonical_text(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "null";
    case Node::Kind::boolean:
      return node.boolean ? "true" : "false";
    case Node::Kind::integer:
      return std::to_string(node.integer);
    case Node::Kind::number:
      return json(node.number).dump();
    case Node::Kind::string:
      return quote_json(node.string);
    case Node::Kind::array: {
      std::string text = "[";
      for (const Node& item : node.items) text += (text.size() > 1 ? "," : "") + canonical_text(item);
      return text + "]";
    }
    case Node::Kind::object: {
      std::vector<const Member*> members;
      for (const Member& member : node.members) members.push_back(&member);
      std::sort(members.begin(), members.end(), [](const Member* a, const Member* b) { return a->key < b->key; });
      std::string text = "{";
      for (const Member* member : members) {
        text += (text.size() > 1 ? "," : "") + quote_json(member->key) + ":" + canonical_text(member->value);
      }
      return text + "}";
    }
  }
  return {};
}

}  // namespace action_triggers::detail
