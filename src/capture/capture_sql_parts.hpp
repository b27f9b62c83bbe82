// SPDX-License-Identifier: MIT
/// Expressions of PostgreSQL's that its capture triggers are made of. A row is NEW, OLD or a query's alias.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "capture/captured_table.hpp"

namespace action_triggers::detail {

/// A declaration, and the block that makes JSON of it: what the session says of itself.
extern const std::string_view pg_context_variable;
extern const std::string_view pg_context_block;

/// That the session does not ask for silence.
extern const std::string_view pg_not_skipped;

/// Whether events have what the table has at their time, and not columns that were listed when this was installed.
bool follows_table(const CapturedTable& table);

/// ARRAY['a','b']::name[]
std::string pg_names(const std::vector<std::string>& names);

/// Of one column its text, of several a JSON array, of none NULL.
std::string pg_key(const std::vector<std::string>& key, std::string_view row);

/// A JSON object of these columns, as text.
std::string pg_image(const std::vector<std::string>& columns, std::string_view row);
std::string pg_row_image(const CapturedTable& table, std::string_view row);

/// Whether OLD and NEW have the same bytes in these columns.
std::string pg_is_same(const std::vector<std::string>& columns, std::string_view old_row = "OLD",
                       std::string_view new_row = "NEW");
/// A JSON object of OLD's columns where NEW has others.
std::string pg_changes(const std::vector<std::string>& columns, std::string_view old_row = "OLD",
                       std::string_view new_row = "NEW");

/// The payload of an event; `was` and `became` are SQL expressions that give JSON. Uses the variables `context` and, if
/// there is a limit, `oversize`.
std::string pg_payload(const TableCapture& capture, CaptureOp op, std::string_view was, std::string_view became,
                       std::string_view oversize);
std::string pg_payload(const CapturedTable& table, CaptureOp op, std::string_view was, std::string_view became);
/// One that says SQLERRM in their place.
std::string pg_failed_payload(const CapturedTable& table, CaptureOp op);

/// 'event:orders.insert'
std::string pg_target(const CapturedTable& table, CaptureOp op);

/// A dollar quote that the text does not have.
std::string pg_dollar_quote(std::string_view text);

}  // namespace action_triggers::detail
