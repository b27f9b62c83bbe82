// SPDX-License-Identifier: MIT
/// The functions of "level": "statement" in PostgreSQL: all rows of a statement become events in one INSERT.
#pragma once

#include <string>

#include "capture/captured_table.hpp"

namespace action_triggers::detail {

/// REFERENCING …, with the names that the function uses.
std::string pg_transition_tables(CaptureOp op);

/// The function's body.
std::string pg_statement_function(const CapturedTable& table, const std::string& outbox, CaptureOp op);

}  // namespace action_triggers::detail
