// SPDX-License-Identifier: MIT
/// Whether the tables of an outbox are there, and as they should be.
#pragma once

#include <string>
#include <vector>

#include "databases/postgresql/pg_session.hpp"
#include "outbox/outbox_config.hpp"

namespace action_triggers::detail {

/// A line for each thing that is missing or different, with what mends it. Empty: the tables are right.
std::vector<std::string> pg_table_problems(PgSession& session, const OutboxConfig& config);

/// Throws StoreError with all problems that a relay cannot work with.
void require_pg_tables(PgSession& session, const OutboxConfig& config);

}  // namespace action_triggers::detail
