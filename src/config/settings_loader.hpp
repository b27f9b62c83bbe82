// SPDX-License-Identifier: MIT
/// Reads `settings`: what holds for all destinations.
#pragma once

#include <vector>

#include "config/root_section.hpp"

namespace action_triggers::detail {

RootSection settings_section();

std::vector<const FieldInfo*> settings_fields();

}  // namespace action_triggers::detail
