// SPDX-License-Identifier: MIT
/// The SQL triggers that capture a table of SQLite, as text. Nothing is run here.
///
/// What the triggers promise is said in docs/capture.md; how they keep it, in capture_sql_sqlite.cpp.
#pragma once

#include <string>
#include <vector>

#include "capture/capture_database.hpp"
#include "capture/captured_table.hpp"
#include "outbox/outbox_config.hpp"

namespace action_triggers::detail {

/// What the application writes of itself, in its own transaction: one row.
inline constexpr const char* sqlite_context_table = "action_triggers_context";
/// Rows that a REPLACE may be about to remove; empty but while one runs, or after one that was none.
inline constexpr const char* sqlite_replaced_table = "action_triggers_replaced";

/// Makes the triggers of one entry, and removes what `installed` has of another definition of it. SQL of SQLite cannot
/// look for triggers itself.
CaptureSql sqlite_capture_sql(const CapturedTable& table, const OutboxConfig& outbox,
                              const std::vector<InstalledTrigger>& installed);

/// Removes all triggers of the captures of these names; and the tables that capture needs, if no trigger is left.
std::string sqlite_remove_capture_sql(const std::vector<std::string>& captures,
                                      const std::vector<InstalledTrigger>& installed);

}  // namespace action_triggers::detail
