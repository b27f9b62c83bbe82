// SPDX-License-Identifier: MIT
/// The SQL triggers that capture a table of PostgreSQL 14 and later, as text. Nothing is run here.
///
/// The text may be run again, and is meant for one transaction. What the triggers promise is said in docs/capture.md;
/// how they keep it, in capture_sql_postgresql.cpp.
#pragma once

#include <string>
#include <vector>

#include "capture/captured_table.hpp"
#include "outbox/outbox_config.hpp"

namespace action_triggers::detail {

/// Makes the triggers of one entry, and removes what an earlier definition of it has left.
CaptureSql pg_capture_sql(const CapturedTable& table, const OutboxConfig& outbox);

/// Removes all triggers and functions of the captures of these names, whatever their tables.
std::string pg_remove_capture_sql(const std::vector<std::string>& captures, const OutboxConfig& outbox);

}  // namespace action_triggers::detail
