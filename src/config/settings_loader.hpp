// SPDX-License-Identifier: MIT
/// Reads `settings`: what holds for all destinations.
#pragma once

#include "config/root_section.hpp"

namespace action_triggers::detail {

RootSection settings_section();

}  // namespace action_triggers::detail
