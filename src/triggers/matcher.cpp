// SPDX-License-Identifier: MIT
#include "triggers/matcher.hpp"

#include <algorithm>
#include <compare>

#include "triggers/decimal.hpp"
#include "triggers/letter_case.hpp"

namespace action_triggers::detail {
namespace {

bool matches_text(const Matcher& matcher, std::string_view value) noexcept {
  const std::string_view wanted = matcher.text;
  switch (matcher.kind) {
    case Matcher::Kind::text:
      return value == wanted;
    case Matcher::Kind::prefix:
      return value.starts_with(wanted);
    case Matcher::Kind::suffix:
      return value.ends_with(wanted);
    case Matcher::Kind::any_case:
      return is_in_lower_case(value, wanted);
    case Matcher::Kind::prefix_any_case:
      return is_in_lower_case(value.substr(0, wanted.size()), wanted);
    case Matcher::Kind::suffix_any_case:
      return value.size() >= wanted.size() && is_in_lower_case(value.substr(value.size() - wanted.size()), wanted);
    case Matcher::Kind::wildcard:
      return matcher.wildcards.front().matches(value);
    default:
      return false;
  }
}

}  // namespace

bool Bound::holds(std::string_view number) const noexcept {
  const auto order = Decimal(number) <=> Decimal(digits);
  switch (kind) {
    case Kind::less:
      return std::is_lt(order);
    case Kind::less_equal:
      return std::is_lteq(order);
    case Kind::equal:
      return std::is_eq(order);
    case Kind::greater_equal:
      return std::is_gteq(order);
    case Kind::greater:
      return std::is_gt(order);
  }
  return false;
}

bool Matcher::matches(const Scalar& value) const noexcept {
  switch (kind) {
    case Kind::exists:
      return true;
    case Kind::absent:
      return false;
    case Kind::anything_but:
      return std::none_of(others.begin(), others.end(), [&](const Matcher& other) { return other.matches(value); });
    case Kind::word:
      return value.kind != JsonKind::string && value.text == text;
    case Kind::numeric:
      return value.kind == JsonKind::number &&
             std::all_of(bounds.begin(), bounds.end(), [&](const Bound& bound) { return bound.holds(value.text); });
    default:
      return value.kind == JsonKind::string && matches_text(*this, value.text);
  }
}

}  // namespace action_triggers::detail
