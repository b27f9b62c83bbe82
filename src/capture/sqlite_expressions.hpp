// SPDX-License-Identifier: MIT
/// Expressions of SQLite's that its capture triggers are made of. None of them fails, whatever the values are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace action_triggers::detail {

/// A value as JSON. BLOBs are strings of hexadecimal digits, infinities are the strings that PostgreSQL has for them.
std::string sqlite_json(std::string_view column, std::string_view row);

/// Of one column its text, of several a JSON array, of none NULL.
std::string sqlite_key(const std::vector<std::string>& key, std::string_view row);

/// A JSON object of these columns, as text.
std::string sqlite_image(const std::vector<std::string>& columns, std::string_view row);

/// Whether OLD and NEW are different in one of these columns: in type, or in bytes, whatever the column's collation.
std::string sqlite_differs(const std::vector<std::string>& columns);
/// A JSON object of OLD's columns where NEW has others.
std::string sqlite_changes(const std::vector<std::string>& columns);

/// JSON of what the application has written into the table: an object as it is, another text as a string.
std::string sqlite_context(std::string_view table);

}  // namespace action_triggers::detail
