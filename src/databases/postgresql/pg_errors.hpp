// SPDX-License-Identifier: MIT
/// What PostgreSQL's errors mean for an outbox, and the way out of them.
#pragma once

#include <libpq-fe.h>

#include <string>
#include <string_view>

namespace action_triggers::detail {

/// "reading rows: permission denied for table …; …": what was tried, the server's words, the way out. `sqlstate`: empty
/// where there is none.
std::string pg_error_text(std::string_view tried, std::string_view sqlstate, std::string_view message);

/// Of a result that is an error.
std::string pg_sqlstate(const PGresult* result);

/// libpq's and the server's words on one line.
std::string pg_message(std::string_view text);

/// Says what is wrong with a connection string, without quoting it: what cannot be read may be a part of a password.
/// Empty: nothing is.
std::string pg_conninfo_problem(const std::string& conninfo);

}  // namespace action_triggers::detail
