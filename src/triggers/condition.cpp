// SPDX-License-Identifier: MIT
#include "triggers/condition.hpp"

#include <algorithm>

namespace action_triggers::detail {
namespace {

using Value = PayloadJson::Value;

/// Whether one of the matchers matches a value that is no object or list.
bool any_matches_scalar(const std::vector<Matcher>& matchers, const Scalar& value) {
  return std::any_of(matchers.begin(), matchers.end(), [&](const Matcher& matcher) { return matcher.matches(value); });
}

/// Of a list: whether one of its elements matches. An object is no value that could.
bool any_matches(const std::vector<Matcher>& matchers, const Value& value) {
  const JsonKind kind = value.kind();
  if (kind == JsonKind::object) return false;
  if (kind == JsonKind::array) {
    for (MaybeValue item = value.first(); item; item = item->next()) {
      if (any_matches(matchers, *item)) return true;
    }
    return false;
  }
  if (kind != JsonKind::string) return any_matches_scalar(matchers, {kind, value.raw()});
  std::string scratch;
  return any_matches_scalar(matchers, {kind, value.text(scratch)});
}

bool has(const std::vector<Matcher>& matchers, Matcher::Kind kind) {
  return std::any_of(matchers.begin(), matchers.end(), [&](const Matcher& matcher) { return matcher.kind == kind; });
}

bool is_array(const MaybeValue& value) { return value && value->kind() == JsonKind::array; }

/// All that is said of what is inside a value that is no list. `in_list`: it stands in one, whose elements with a
/// number of their own were looked at already.
bool insides_hold(const Condition::Field& field, const MaybeValue& value, bool in_list) {
  for (const Condition::Field& inner : field.fields) {
    if (in_list && inner.index) continue;
    if (!holds(inner, value_of(inner, value))) return false;
  }
  for (const std::vector<Condition::Field>& alternatives : field.any_of) {
    if (std::none_of(alternatives.begin(), alternatives.end(),
                     [&](const Condition::Field& alternative) { return holds(alternative, value); })) {
      return false;
    }
  }
  return std::none_of(field.none_of.begin(), field.none_of.end(),
                      [&](const Condition::Field& excluded) { return holds(excluded, value); });
}

/// Whether there is an element of which it all holds; lists inside the list are looked through as well.
bool an_element_holds(const Condition::Field& field, const Value& list) {
  for (MaybeValue item = list.first(); item; item = item->next()) {
    if (item->kind() == JsonKind::array ? an_element_holds(field, *item) : insides_hold(field, item, true)) return true;
  }
  return false;
}

bool insides_of_list_hold(const Condition::Field& field, const Value& list) {
  bool needs_element = !field.any_of.empty() || !field.none_of.empty();
  for (const Condition::Field& inner : field.fields) {
    if (!inner.index) {
      needs_element = true;
    } else if (!holds(inner, list.element(*inner.index))) {
      return false;
    }
  }
  if (!needs_element) return true;
  return list.first() ? an_element_holds(field, list) : insides_hold(field, std::nullopt, true);
}

}  // namespace

MaybeValue value_of(const Condition::Field& field, const MaybeValue& parent) {
  if (!parent) return std::nullopt;
  return field.index && is_array(parent) ? parent->element(*field.index) : parent->member(field.key);
}

bool value_matches(const Condition::Field& field, const MaybeValue& value) {
  if (field.matchers.empty()) return true;
  if (!value) return has(field.matchers, Matcher::Kind::absent);
  return any_matches(field.matchers, *value) || has(field.matchers, Matcher::Kind::exists);
}

bool holds(const Condition::Field& field, const MaybeValue& value) {
  if (!value_matches(field, value)) return false;
  if (!field.looks_inside()) return true;
  return is_array(value) ? insides_of_list_hold(field, *value) : insides_hold(field, value, false);
}

bool Condition::matches(Value root) const { return holds(root_, root); }

}  // namespace action_triggers::detail
