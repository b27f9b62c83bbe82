// SPDX-License-Identifier: MIT
/// Reads the list of a condition's field: values and operators.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "config/document.hpp"
#include "triggers/condition_place.hpp"
#include "triggers/matcher.hpp"

namespace action_triggers::detail {

/// The names of the operators.
const std::set<std::string, std::less<>>& condition_operators();

/// What is wrong goes to the place's findings; such elements are left out.
std::vector<Matcher> read_matchers(const Node& list, const ConditionPlace& place);

/// The value as JSON for an example in a problem; "…" if it may be a secret or is long.
std::string example_of(const Node& value, const ConditionPlace& place);

}  // namespace action_triggers::detail
