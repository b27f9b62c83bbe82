// SPDX-License-Identifier: MIT
/// Rows and times of SQLite as the outbox has them, and back.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "databases/sqlite/sqlite_connection.hpp"
#include "outbox/outbox_row.hpp"

namespace action_triggers::detail {

/// What read_row() wants, in its order. A time may be a text as SQLite's functions take it, but for those that mean
/// another time whenever they are read ("now").
inline constexpr std::string_view row_columns =
    "id, target, body, key, message_id, content_type, headers, properties, "
    "CASE WHEN typeof(created_at) IN ('real', 'integer') THEN created_at"
    " WHEN created_at GLOB '[0-9]*' THEN julianday(created_at) END, done";
inline constexpr int row_column_count = 10;

/// Reads the columns of `row_columns`, which the statement has first.
void read_row(const SqliteStatement& statement, OutboxRow& row);

/// Binds the parameters of sqlite_insert(). The row must live until the statement is reset.
void bind_row(SqliteStatement& statement, const NewRow& row);

/// Days since noon in Greenwich on November 24, 4714 B.C., as julianday() counts them.
std::chrono::sys_time<std::chrono::microseconds> time_of_julian_day(double day);

inline constexpr double milliseconds_a_day = 86'400'000.0;

}  // namespace action_triggers::detail
