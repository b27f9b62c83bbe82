// SPDX-License-Identifier: MIT
/// Reads `outbox`: where the table of the outbox is, and how its relay works.
#pragma once

#include <vector>

#include "action_triggers/config_section.hpp"
#include "config/root_section.hpp"
#include "outbox/outbox_config.hpp"

namespace action_triggers::detail {

/// Makes an OutboxConfig, which is found by Config::section().
RootSection outbox_section();

/// The databases whose libraries this build has.
struct BuiltDatabases {
  bool postgresql = false;
  bool sqlite = false;
};
BuiltDatabases built_databases() noexcept;

/// What outbox_section() calls. A type that was not built is a problem, or a warning where the configuration is another
/// program's.
void read_outbox(LoadContext& context, Member& member, const std::string& pointer, const BuiltDatabases& built);

/// The keys of the section, for the reference page.
std::vector<const FieldInfo*> outbox_fields();

}  // namespace action_triggers::detail
