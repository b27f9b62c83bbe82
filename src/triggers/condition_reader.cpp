// SPDX-License-Identifier: MIT
// Keys become paths, and paths one tree: {"a.b": …, "/a/c": …, "a": {"d": …}} is one field `a` with three in it.
#include "triggers/condition_reader.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/suggestion.hpp"
#include "triggers/condition_place.hpp"
#include "triggers/json_pointer.hpp"
#include "triggers/matcher_reader.hpp"

namespace action_triggers::detail {
namespace {

std::optional<std::vector<PointerToken>> pointer_steps(const Member& member, const ConditionPlace& place) {
  auto steps = pointer_tokens(member.key);
  if (!steps) place.problem(member.key_offset, "In a JSON pointer, '~' is written '~0', and '/' in a name '~1'.");
  return steps;
}

std::optional<std::vector<PointerToken>> dotted_steps(const Member& member, const ConditionPlace& place) {
  std::vector<PointerToken> steps;
  std::string_view rest = member.key;
  while (true) {
    const std::size_t dot = rest.find('.');
    if (rest.substr(0, dot).empty()) {
      place.problem(member.key_offset, "A name in this path is empty.",
                    "A field whose name is empty or has dots is written as a JSON pointer: \"/a.b\".");
      return std::nullopt;
    }
    steps.push_back({std::string(rest.substr(0, dot))});
    if (dot == std::string_view::npos) return steps;
    rest.remove_prefix(dot + 1);
  }
}

/// For people: a.b, or a pointer where a name would not be understood.
std::string path_to(const std::string& parent, const PointerToken& step) {
  const bool plain = !step.index && !step.key.empty() && step.key.find_first_of("./~") == std::string::npos;
  if (plain && !parent.starts_with('/')) return parent.empty() ? step.key : parent + "." + step.key;
  std::string pointer = parent;
  if (!parent.empty() && !parent.starts_with('/')) {
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    pointer.insert(0, "/");
  }
  return pointer_to(pointer, step.key);
}

/// The field for a step, which is made if it is new.
Condition::Field& field_for(const PointerToken& step, Condition::Field& parent) {
  for (Condition::Field& field : parent.fields) {
    if (field.key == step.key && field.index == step.index) return field;
  }
  Condition::Field field;
  field.key = step.key;
  field.index = step.index;
  field.path = path_to(parent.path, step);
  parent.fields.push_back(std::move(field));
  return parent.fields.back();
}

class ObjectReader {
 public:
  /// What stands in an object, which says something of `to`. `depth`: of `to` in the condition.
  void read_object(const Node& object, Condition::Field& to, const ConditionPlace& place, std::size_t depth) {
    if (!place.is_known(object)) return;
    if (!object.is(Node::Kind::object)) {
      place.problem(object.offset, R"(A condition is an object with fields, as {"status": ["paid"]}.)");
    } else if (object.members.empty()) {
      place.problem(object.offset, "The condition is empty: it would always match.", "Leave it out, or name a field.");
    }
    for (const Member& member : object.members) read_member(member, to, place.member(member.key), depth + 1);
  }

 private:
  void read_member(const Member& member, Condition::Field& to, const ConditionPlace& place, std::size_t depth) {
    if (place.findings().operators > Condition::max_operators) return;  // which was said
    if (depth > Condition::max_depth) {
      place.problem(member.key_offset, too_deep);
    } else if (member.key == "$or") {
      read_or(member.value, to, place, depth);
    } else if (member.key == "$not") {
      to.none_of.push_back(same_place(to));
      read_object(member.value, to.none_of.back(), place, depth);
    } else if (member.key.starts_with('$')) {
      place.problem(member.key_offset,
                    "Unknown condition '" + member.key + "'. " + suggestion(member.key, {"$not", "$or"}),
                    "A field of this name is written as a JSON pointer: \"/" + member.key + "\".");
    } else {
      read_field(member, to, place, depth);
    }
  }

  static Condition::Field same_place(const Condition::Field& field) {
    Condition::Field same;
    same.path = field.path;
    return same;
  }

  void read_or(const Node& list, Condition::Field& to, const ConditionPlace& place, std::size_t depth) {
    if (!place.is_known(list)) return;
    if (!list.is(Node::Kind::array) || list.items.empty()) {
      place.problem(list.offset, R"('$or' takes a list of conditions, as [{"status": ["paid"]}, {"total": [0]}].)");
      return;
    }
    std::vector<Condition::Field> alternatives;
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      alternatives.push_back(same_place(to));
      read_object(list.items[i], alternatives.back(), place.item(i), depth);
    }
    to.any_of.push_back(std::move(alternatives));
  }

  void read_field(const Member& member, Condition::Field& to, const ConditionPlace& place, std::size_t depth) {
    const bool is_pointer = member.key.starts_with('/');
    if (!is_pointer && !to.path.empty() && condition_operators().count(member.key) != 0) {
      place.problem(
          member.key_offset, operator_without_list(member, place),
          "A field that is called '" + member.key + "' is written as a JSON pointer: \"/" + member.key + "\".");
      return;
    }
    const auto steps = is_pointer ? pointer_steps(member, place) : dotted_steps(member, place);
    if (!steps) return;
    depth += steps->size() - 1;
    if (depth > Condition::max_depth) {
      place.problem(member.key_offset, too_deep);
      return;
    }
    Condition::Field* field = &to;
    for (const PointerToken& step : *steps) field = &field_for(step, *field);
    if (member.value.is(Node::Kind::object)) {
      read_object(member.value, *field, place, depth);
    } else if (member.value.is(Node::Kind::array)) {
      read_list(member, *field, place);
    } else if (place.is_known(member.value)) {
      const std::string example = example_of(member.value, place);
      place.problem(member.value.offset, "The values of a field stand in a list: write [" + example + "].");
    }
  }

  void read_list(const Member& member, Condition::Field& field, const ConditionPlace& place) {
    if (!field.matchers.empty()) {
      place.problem(member.key_offset, "The field '" + field.path + "' is named twice here.",
                    "Put all of its values into one list.");
      return;
    }
    field.matchers = read_matchers(member.value, place);
  }

  static std::string operator_without_list(const Member& member, const ConditionPlace& place) {
    return "The operator '" + member.key + "' must stand in a list: write [{\"" + member.key +
           "\": " + example_of(member.value, place) + "}].";
  }

  static constexpr const char* too_deep = "Nested deeper than 64 levels.";
};

}  // namespace

std::optional<Condition> read_condition(LoadContext& context, const Node& when, const ConfigProblem& place) {
  ConditionFindings findings{context, place};
  Condition::Field root;
  ObjectReader().read_object(when, root, ConditionPlace(findings), 0);
  if (findings.failed) return std::nullopt;
  return Condition(std::move(root));
}

}  // namespace action_triggers::detail
