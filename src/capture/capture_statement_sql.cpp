// SPDX-License-Identifier: MIT
// In an update old and new rows are matched by the primary key. Rows without a partner have changed their key.
#include "capture/capture_statement_sql.hpp"

#include <string_view>

#include "capture/capture_sql_parts.hpp"
#include "capture/sql_text.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::string_view statement_body = R"(#variable_conflict use_variable
DECLARE
@context_variable@BEGIN
@context@  BEGIN
    INSERT INTO @outbox@ (target, key, content_type, body)
    SELECT target, convert_to(row_key, 'UTF8'), 'application/json', convert_to(payload, 'UTF8') FROM (
      @query@
    ) AS events ORDER BY place, row_key;
  EXCEPTION WHEN OTHERS THEN
    INSERT INTO @outbox@ (target, content_type, body)
      VALUES (@target@, 'application/json', convert_to(@failed@, 'UTF8'));
  END;
  RETURN NULL;
END)";

std::string image_length(std::string_view image) { return "octet_length(" + std::string(image) + ")"; }

/// The payload, or a smaller one if it is larger than it may be.
std::string limited(const CapturedTable& table, CaptureOp op, const std::string& was, const std::string& became) {
  const TableCapture& capture = table.capture;
  std::string whole = pg_payload(capture, op, was, became, "");
  if (capture.max_bytes == 0) return whole;
  const std::string most = std::to_string(capture.max_bytes);
  const std::string oversize = "',\"oversize\":true'";
  const std::string null = "'null'";
  const std::string small_was = was == null ? null : pg_image(table.key, "o");
  const std::string small_became = became == null ? null : pg_image(table.key, "n");
  std::string text = "CASE WHEN " + image_length(was) + " + " + image_length(became) + " <= " + most + " THEN " + whole;
  if (capture.oversize == CaptureOversize::without_old && op == CaptureOp::update) {
    text += " WHEN " + image_length(became) + " <= " + most + " THEN " +
            pg_payload(capture, op, null, became, oversize) + " ELSE " +
            pg_payload(capture, op, null, small_became, oversize);
  } else {
    text += " ELSE " + pg_payload(capture, op, small_was, small_became, oversize);
  }
  return text + " END";
}

/// SELECT target, row_key, payload, place
std::string query_of_one(const CapturedTable& table, CaptureOp op) {
  const bool is_insert = op == CaptureOp::insert;
  const std::string null = "'null'";
  const std::string row = is_insert ? "n" : "o";
  const std::string image = is_insert || table.capture.old != CaptureOld::none ? pg_row_image(table, row) : null;
  return "SELECT " + pg_target(table, op) + " AS target, " + pg_key(table.key, row) + " AS row_key, " +
         limited(table, op, is_insert ? null : image, is_insert ? image : null) + " AS payload, 0 AS place FROM " +
         (is_insert ? "new_rows AS n" : "old_rows AS o");
}

/// First the rows that are gone, then those that changed, then the new ones.
std::string query_of_update(const CapturedTable& table) {
  const std::string null = "'null'";
  const std::string old_key = pg_key(table.key, "o");
  const std::string new_key = pg_key(table.key, "n");
  const bool has_old = table.capture.old != CaptureOld::none;
  const std::string whole_old = has_old ? pg_row_image(table, "o") : null;
  const std::string became = pg_row_image(table, "n");
  const std::string was = table.capture.old == CaptureOld::changed ? pg_changes(table.columns, "o", "n") : whole_old;
  const std::string is_other =
      follows_table(table) ? "o.* OPERATOR(pg_catalog.*<>) n.*" : "NOT " + pg_is_same(table.columns, "o", "n");
  return "SELECT " + pg_target(table, CaptureOp::update) + " AS target, " + new_key + " AS row_key, " +
         limited(table, CaptureOp::update, was, became) +
         " AS payload, 1 AS place FROM old_rows AS o JOIN new_rows AS n ON " + old_key + " = " + new_key + " WHERE " +
         is_other + "\n      UNION ALL\n      SELECT " + pg_target(table, CaptureOp::remove) + ", " + old_key + ", " +
         limited(table, CaptureOp::remove, whole_old, null) +
         ", 0 FROM old_rows AS o WHERE NOT EXISTS (SELECT FROM new_rows AS n WHERE " + old_key + " = " + new_key +
         ")\n      UNION ALL\n      SELECT " + pg_target(table, CaptureOp::insert) + ", " + new_key + ", " +
         limited(table, CaptureOp::insert, null, became) +
         ", 2 FROM new_rows AS n WHERE NOT EXISTS (SELECT FROM old_rows AS o WHERE " + old_key + " = " + new_key + ")";
}

}  // namespace

std::string pg_transition_tables(CaptureOp op) {
  std::string text = "REFERENCING";
  if (op != CaptureOp::insert) text += " OLD TABLE AS old_rows";
  if (op != CaptureOp::remove) text += " NEW TABLE AS new_rows";
  return text;
}

std::string pg_statement_function(const CapturedTable& table, const std::string& outbox, CaptureOp op) {
  return filled(statement_body, {{"context_variable", std::string(pg_context_variable)},
                                 {"context", std::string(pg_context_block)},
                                 {"outbox", outbox},
                                 {"query", op == CaptureOp::update ? query_of_update(table) : query_of_one(table, op)},
                                 {"target", pg_target(table, op)},
                                 {"failed", pg_failed_payload(table, op)}});
}

}  // namespace action_triggers::detail
