// SPDX-License-Identifier: MIT
/// What an error of SQLite means to people, and the way out.
#pragma once

#include <string>
#include <string_view>

struct sqlite3;

namespace action_triggers::detail {

/// `doing` is what failed, as in "Reading the outbox"; `code` what SQLite returned. `db` may be null.
std::string sqlite_error_text(sqlite3* db, int code, std::string_view doing, const std::string& path);

}  // namespace action_triggers::detail
