// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_rows.hpp"

#include <cmath>

namespace action_triggers::detail {
namespace {

constexpr double unix_epoch = 2'440'587.5;  // as a julian day
constexpr double last_day = 5'373'484.5;    // the end of the year 9999, the last that SQLite knows

void bind_optional(SqliteStatement& statement, int parameter, const std::optional<std::string>& value) {
  if (value) {
    statement.bind_text(parameter, *value);
  } else {
    statement.bind_null(parameter);
  }
}

}  // namespace

std::chrono::sys_time<std::chrono::microseconds> time_of_julian_day(double day) {
  if (!(day >= 0)) day = 0;  // NaN too
  if (day > last_day) day = last_day;
  // SQLite counts milliseconds; a double has no finer ones at this size.
  const auto milliseconds = std::llround((day - unix_epoch) * milliseconds_a_day);
  return std::chrono::sys_time<std::chrono::microseconds>(std::chrono::milliseconds(milliseconds));
}

void read_row(const SqliteStatement& statement, OutboxRow& row) {
  row.id = statement.integer(0);
  row.target = statement.bytes(1);
  row.body = statement.bytes(2);
  row.key = statement.optional_bytes(3);
  row.message_id = statement.optional_bytes(4);
  row.content_type = statement.optional_bytes(5);
  row.headers = statement.optional_bytes(6);
  row.properties = statement.optional_bytes(7);
  row.created_at = statement.is_null(8) ? no_time : time_of_julian_day(statement.real(8));
  row.done = static_cast<std::uint64_t>(statement.integer(9));
}

void bind_row(SqliteStatement& statement, const NewRow& row) {
  statement.bind_text(1, row.target);
  statement.bind_blob(2, row.body);
  if (row.key) {
    statement.bind_blob(3, *row.key);
  } else {
    statement.bind_null(3);
  }
  bind_optional(statement, 4, row.message_id);
  bind_optional(statement, 5, row.content_type);
  bind_optional(statement, 6, row.headers);
  bind_optional(statement, 7, row.properties);
}

}  // namespace action_triggers::detail
