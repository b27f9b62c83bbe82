// SPDX-License-Identifier: MIT
/// Reads `brokers`: the map of destinations, and each destination in it.
#pragma once

#include "config/root_section.hpp"

namespace action_triggers::detail {

RootSection brokers_section();

}  // namespace action_triggers::detail
