// SPDX-License-Identifier: MIT
#include "action_triggers/testing/json_difference.hpp"

#include <optional>
#include <stdexcept>

#include "triggers/decimal.hpp"
#include "triggers/payload_json.hpp"

namespace action_triggers::testing {
namespace {

using detail::Decimal;
using detail::JsonKind;
using detail::PayloadJson;
using Value = detail::PayloadJson::Value;

std::string pointer_to(const std::string& parent, std::string_view key) {
  std::string pointer = parent + '/';
  for (const char c : key) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

std::string instead(const Value& actual, const Value& expected, const std::string& pointer) {
  return "has " + std::string(actual.raw()) + (pointer.empty() ? "" : " at " + pointer) + " instead of " +
         std::string(expected.raw());
}

std::string difference(const Value& actual, const Value& expected, const std::string& pointer);

std::string difference_of_objects(const Value& actual, const Value& expected, const std::string& pointer) {
  std::string scratch;
  for (auto member = expected.first(); member; member = member->next()) {
    const std::string key(member->key(scratch));
    const auto found = actual.member(key);
    if (!found) return "has no " + pointer_to(pointer, key);
    std::string inside = difference(*found, *expected.member(key), pointer_to(pointer, key));
    if (!inside.empty()) return inside;
  }
  for (auto member = actual.first(); member; member = member->next()) {
    const std::string key(member->key(scratch));
    if (!expected.member(key)) return "has " + pointer_to(pointer, key) + ", which is not expected";
  }
  return {};
}

std::string difference_of_lists(const Value& actual, const Value& expected, const std::string& pointer) {
  auto left = actual.first();
  auto right = expected.first();
  for (std::size_t index = 0; left && right; ++index, left = left->next(), right = right->next()) {
    std::string inside = difference(*left, *right, pointer_to(pointer, std::to_string(index)));
    if (!inside.empty()) return inside;
  }
  return left || right ? instead(actual, expected, pointer) : std::string();
}

bool equal_scalars(const Value& actual, const Value& expected) {
  std::string scratch;
  std::string other_scratch;
  switch (actual.kind()) {
    case JsonKind::number:
      return Decimal(actual.raw()) == Decimal(expected.raw());
    case JsonKind::string:
      return actual.text(scratch) == expected.text(other_scratch);
    default:
      return actual.raw() == expected.raw();
  }
}

std::string difference(const Value& actual, const Value& expected, const std::string& pointer) {
  if (actual.kind() == expected.kind()) {
    if (actual.kind() == JsonKind::object) return difference_of_objects(actual, expected, pointer);
    if (actual.kind() == JsonKind::array) return difference_of_lists(actual, expected, pointer);
    if (equal_scalars(actual, expected)) return {};
  }
  return instead(actual, expected, pointer);
}

std::string no_json(const detail::PayloadJsonError& error) {
  return "is no JSON: " + error.text + " (at byte " + std::to_string(error.offset) + ")";
}

}  // namespace

std::string json_difference(std::string_view actual, std::string_view expected) {
  PayloadJson wanted;
  if (!wanted.read(expected)) throw std::invalid_argument("what is expected " + no_json(wanted.error()));
  PayloadJson found;
  if (!found.read(actual)) return no_json(found.error());
  return difference(found.root(), wanted.root(), "");
}

}  // namespace action_triggers::testing
