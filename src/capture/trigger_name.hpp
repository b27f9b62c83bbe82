// SPDX-License-Identifier: MIT
/// Names of the SQL triggers and functions that capture makes: each carries a hash of its definition, so that one of
/// another definition is known by its name.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace action_triggers::detail {

/// PostgreSQL fires triggers in the order of their names. The underscore puts these before an application's own, which
/// may change the row again: so events keep the order of the changes.
inline constexpr std::string_view trigger_prefix = "_at_capture_";

/// `part` says what it does: "insert", "update", …; a word of small letters. At most 63 bytes.
std::string trigger_name(std::string_view capture, std::string_view part, std::string_view definition);

/// The capture that made a trigger of this name; nothing: none did.
std::optional<std::string> capture_of_trigger(std::string_view name);

/// The same as a regular expression of PostgreSQL's, with the capture's name in it or for all of them.
std::string trigger_pattern(std::string_view capture = {});

}  // namespace action_triggers::detail
