// SPDX-License-Identifier: MIT
/// From the `when` of a configuration to a Condition.
#pragma once

#include <optional>

#include "config/load_context.hpp"
#include "triggers/condition.hpp"

namespace action_triggers::detail {

/// What is wrong goes to the context as problems, with their positions; then there is no condition. `place`: the
/// broker, section, key and pointer of `when` itself; those of the problems begin with them.
std::optional<Condition> read_condition(LoadContext& context, const Node& when, const ConfigProblem& place);

}  // namespace action_triggers::detail
