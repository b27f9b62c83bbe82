// SPDX-License-Identifier: MIT
/// Reads `brokers`: the map of destinations, and each destination in it.
#pragma once

#include <memory>
#include <string>

#include "config/root_section.hpp"

namespace action_triggers::detail {

RootSection brokers_section();

/// The destination `name` with `more` params of a trigger's target; what it lacked counts as completed then. They add
/// to its own: one that it has already must have the same value. `pointer`: of the object that has them as its
/// `params`. nullptr: something is wrong with it, and is said.
std::shared_ptr<const BrokerConfig> derive_broker(LoadContext& context, const std::string& name, const Node& more,
                                                  const std::string& pointer);

}  // namespace action_triggers::detail
