// SPDX-License-Identifier: MIT
/// Reads `triggers`.
#pragma once

#include "config/root_section.hpp"

namespace action_triggers::detail {

RootSection triggers_section();

}  // namespace action_triggers::detail
