// SPDX-License-Identifier: MIT
// Why a condition does not match: the same walk as the match itself, down to the first field that fails.
#include <algorithm>

#include "triggers/condition.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t shown_bytes = 100;

std::string shown(const PayloadJson::Value& value) {
  if (value.kind() == JsonKind::object) return "an object";
  std::string_view text = value.raw();
  if (text.size() <= shown_bytes) return std::string(text);
  text = text.substr(0, shown_bytes);
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80U) text.remove_suffix(1);
  if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0U) text.remove_suffix(1);  // half a character
  return std::string(text) + "…";
}

std::string name_of(const Condition::Field& field) {
  return field.path.empty() ? "The payload" : "The field '" + field.path + "'";
}

std::string wanted(const Condition::Field& field) {
  std::string text;
  for (const Matcher& matcher : field.matchers) text += (text.empty() ? "" : " or ") + matcher.written;
  return text;
}

std::string why_not_field(const Condition::Field& field, const MaybeValue& value);

/// Of the parts of `field`, which is about no list.
std::string why_not_inside(const Condition::Field& field, const MaybeValue& value) {
  for (const Condition::Field& inner : field.fields) {
    const MaybeValue inside = value_of(inner, value);
    if (!holds(inner, inside)) return why_not_field(inner, inside);
  }
  for (const std::vector<Condition::Field>& alternatives : field.any_of) {
    if (std::none_of(alternatives.begin(), alternatives.end(),
                     [&](const Condition::Field& one) { return holds(one, value); })) {
      return "None of the " + std::to_string(alternatives.size()) +
             " alternatives of '$or' matches; of the first: " + why_not_field(alternatives.front(), value);
    }
  }
  return name_of(field) + " is what '$not' excludes.";
}

std::string why_not_list(const Condition::Field& field, const PayloadJson::Value& list) {
  for (const Condition::Field& inner : field.fields) {
    if (!inner.index) continue;
    const MaybeValue element = list.element(*inner.index);
    if (!holds(inner, element)) return why_not_field(inner, element);
  }
  const MaybeValue first = list.first();
  if (!first) return name_of(field) + " is an empty list.";
  return "No element of " + (field.path.empty() ? "the payload" : "the field '" + field.path + "'") +
         " matches; of the first: " + why_not_field(field, first);
}

std::string why_not_field(const Condition::Field& field, const MaybeValue& value) {
  if (!value_matches(field, value)) {
    if (!value) return name_of(field) + " is missing; wanted is " + wanted(field) + ".";
    return name_of(field) + " is " + shown(*value) + "; wanted is " + wanted(field) + ".";
  }
  return value && value->kind() == JsonKind::array ? why_not_list(field, *value) : why_not_inside(field, value);
}

}  // namespace

std::string Condition::why_not(PayloadJson::Value root) const {
  return holds(root_, root) ? std::string() : why_not_field(root_, root);
}

}  // namespace action_triggers::detail
