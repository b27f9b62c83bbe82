// SPDX-License-Identifier: MIT
#include "capture/sqlite_expressions.hpp"

#include <cstddef>

#include "capture/sql_text.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t pieces_a_group = 64;

std::string column_of(std::string_view row, std::string_view column) {
  return std::string(row) + "." + sql_name(column);
}

/// The shortest text that is this number again; SQLite's own has 15 digits, which may be another number.
std::string real_json(const std::string& value) {
  return filled(
      "CASE WHEN @x@ > 1.7976931348623157e308 THEN '\"Infinity\"' WHEN @x@ < -1.7976931348623157e308 THEN "
      "'\"-Infinity\"' WHEN CAST(printf('%!.15g', @x@) AS REAL) = @x@ THEN printf('%!.15g', @x@) "
      "ELSE printf('%!.17g', @x@) END",
      {{"x", value}});
}

/// (a op b op …), in groups: SQLite limits how deep an expression may be.
std::string in_groups(const std::vector<std::string>& pieces, const std::string& op) {
  std::string text = "(";
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const bool begins_group = i % pieces_a_group == 0;
    if (i != 0) text += begins_group ? ")\n    " + op + " (" : "\n    " + op + " ";
    text += pieces[i];
  }
  return text + ")";
}

std::string concatenated(const std::vector<std::string>& pieces) {
  return pieces.empty() ? "''" : in_groups(pieces, "||");
}

std::string differs(const std::string& column) {
  const std::string was = column_of("OLD", column);
  const std::string is = column_of("NEW", column);
  return was + " IS NOT " + is + " COLLATE BINARY OR typeof(" + was + ") <> typeof(" + is + ")";
}

}  // namespace

/// What a function of SQLite's has made is marked as JSON until it is stored, and would be quoted as that: the operator
/// takes the mark away.
std::string sqlite_json(std::string_view column, std::string_view row) {
  const std::string value = column_of(row, column);
  return filled(
      "CASE typeof(@x@) WHEN 'blob' THEN '\"' || hex(@x@) || '\"' WHEN 'real' THEN @real@ "
      "WHEN 'text' THEN json_quote(@x@ || '') ELSE json_quote(@x@) END",
      {{"x", value}, {"real", real_json(value)}});
}

std::string sqlite_key(const std::vector<std::string>& key, std::string_view row) {
  if (key.empty()) return "NULL";
  if (key.size() == 1) {
    const std::string value = column_of(row, key.front());
    return filled(
        "CASE typeof(@x@) WHEN 'blob' THEN hex(@x@) WHEN 'real' THEN trim(@real@, '\"') ELSE CAST(@x@ AS TEXT) END",
        {{"x", value}, {"real", real_json(value)}});
  }
  std::vector<std::string> pieces;
  for (const std::string& name : key) {
    pieces.push_back(pieces.empty() ? "'['" : "','");
    pieces.push_back(sqlite_json(name, row));
  }
  pieces.push_back("']'");
  return concatenated(pieces);
}

std::string sqlite_image(const std::vector<std::string>& columns, std::string_view row) {
  std::vector<std::string> pieces;
  pieces.reserve(columns.size() + 1);
  for (const std::string& name : columns) {
    pieces.push_back(sql_text((pieces.empty() ? "{" : ",") + json_text_of(name) + ":") + " || " +
                     sqlite_json(name, row));
  }
  pieces.push_back(columns.empty() ? "'{}'" : "'}'");
  return concatenated(pieces);
}

std::string sqlite_differs(const std::vector<std::string>& columns) {
  std::vector<std::string> pieces;
  pieces.reserve(columns.size());
  for (const std::string& name : columns) pieces.push_back(differs(name));
  return "(" + in_groups(pieces, "OR") + ")";
}

std::string sqlite_changes(const std::vector<std::string>& columns) {
  std::vector<std::string> pieces;
  pieces.reserve(columns.size() + 1);
  for (const std::string& name : columns) {
    pieces.push_back("CASE WHEN " + differs(name) + " THEN " + sql_text("," + json_text_of(name) + ":") + " || " +
                     sqlite_json(name, "OLD") + " ELSE '' END");
  }
  return "('{' || substr(" + concatenated(pieces) + ", 2) || '}')";
}

std::string sqlite_context(std::string_view table) {
  return filled(
      "coalesce((SELECT CASE WHEN context LIKE '{%' AND json_valid(CAST(context AS TEXT)) THEN CAST(context AS TEXT) "
      "ELSE json_quote(CAST(context AS TEXT)) END FROM @table@ LIMIT 1), 'null')",
      {{"table", sql_name(table)}});
}

}  // namespace action_triggers::detail
