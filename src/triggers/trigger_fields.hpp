// SPDX-License-Identifier: MIT
/// The keys of a trigger and of its targets: what the loader knows, and the tables of docs/triggers.md.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "action_triggers/config_section.hpp"

namespace action_triggers::detail {

/// Of a target, and of its `params`: the same.
inline constexpr const char* timeout_key = "timeout_secs";

const std::vector<FieldInfo>& trigger_fields();
const std::vector<FieldInfo>& target_fields();

/// Both, those of targets as `targets.KEY`.
std::vector<const FieldInfo*> trigger_and_target_fields();

/// The keys of such a table.
std::set<std::string, std::less<>> keys_of(const std::vector<FieldInfo>& fields);

}  // namespace action_triggers::detail
