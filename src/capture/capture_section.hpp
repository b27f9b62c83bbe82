// SPDX-License-Identifier: MIT
/// Reads `capture`: of which tables every change becomes an event, and how.
#pragma once

#include <vector>

#include "action_triggers/config_section.hpp"
#include "config/root_section.hpp"

namespace action_triggers::detail {

/// Makes a CaptureConfig, which is found by Config::section().
RootSection capture_section();

/// What capture_section() calls, once the outbox is read.
void read_capture(LoadContext& context, Member& member, const std::string& pointer);

/// The keys of an entry, for the reference page.
std::vector<const FieldInfo*> capture_fields();

}  // namespace action_triggers::detail
