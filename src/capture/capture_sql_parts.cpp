// SPDX-License-Identifier: MIT
#include "capture/capture_sql_parts.hpp"

#include "capture/sql_text.hpp"
#include "outbox/outbox_row.hpp"

namespace action_triggers::detail {
namespace {

/// row."a", row."b"
std::string columns_of(const std::vector<std::string>& columns, std::string_view row) {
  std::string text;
  for (const std::string& name : columns) {
    text.append(text.empty() ? "" : ", ").append(row).append(".").append(sql_name(name));
  }
  return text;
}

std::string payload_head(const TableCapture& capture, CaptureOp op) {
  return "{\"op\":\"" + std::string(to_string(op)) + "\",\"table\":" + json_text_of(capture.table_text);
}

}  // namespace

const std::string_view pg_context_variable =
    "  context text := nullif(current_setting('action_triggers.context', true), '');\n";

// Text that is no JSON object is a string.
const std::string_view pg_context_block = R"(  IF context LIKE '{%' THEN
    BEGIN
      context := context::json::text;
    EXCEPTION WHEN OTHERS THEN
      context := to_json(context)::text;
    END;
  ELSE
    context := coalesce(to_json(context)::text, 'null');
  END IF;
)";

const std::string_view pg_not_skipped =
    "coalesce(pg_catalog.current_setting('action_triggers.skip', true), '') NOT IN ('1', 'on', 'true')";

bool follows_table(const CapturedTable& table) {
  return table.has_all_columns && table.capture.old != CaptureOld::changed;
}

std::string pg_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(pg_text(name));
  return "ARRAY[" + text + "]::name[]";
}

std::string pg_key(const std::vector<std::string>& key, std::string_view row) {
  if (key.empty()) return "NULL";
  if (key.size() > 1) return "json_build_array(" + columns_of(key, row) + ")::text";
  return columns_of(key, row) + "::text";
}

std::string pg_image(const std::vector<std::string>& columns, std::string_view row) {
  if (columns.empty()) return "'{}'";
  return "(SELECT row_to_json(r.*)::text FROM (SELECT " + columns_of(columns, row) + ") AS r)";
}

std::string pg_row_image(const CapturedTable& table, std::string_view row) {
  if (follows_table(table)) return "row_to_json(" + std::string(row) + ".*)::text";
  return pg_image(table.columns, row);
}

std::string pg_is_same(const std::vector<std::string>& columns, std::string_view old_row, std::string_view new_row) {
  return "record_image_eq(ROW(" + columns_of(columns, old_row) + "), ROW(" + columns_of(columns, new_row) + "))";
}

std::string pg_changes(const std::vector<std::string>& columns, std::string_view old_row, std::string_view new_row) {
  std::string items;
  for (const std::string& name : columns) {
    const std::string was = std::string(old_row) + "." + sql_name(name);
    items += (items.empty() ? "" : ",") + ("\n          CASE WHEN NOT " + pg_is_same({name}, old_row, new_row)) +
             " THEN " + pg_text(json_text_of(name) + ":") + " || coalesce(to_json(" + was + ")::text, 'null') END";
  }
  return "'{' || array_to_string(ARRAY[" + items + "], ',') || '}'";
}

std::string pg_payload(const TableCapture& capture, CaptureOp op, std::string_view was, std::string_view became,
                       std::string_view oversize) {
  std::string text = pg_text(payload_head(capture, op) + ",\"old\":");
  text.append(" || ").append(was).append(" || ',\"new\":' || ").append(became);
  text.append(" || ',\"context\":' || context || ");
  if (!oversize.empty()) text.append(oversize).append(" || ");
  return text + "'}'";
}

std::string pg_payload(const CapturedTable& table, CaptureOp op, std::string_view was, std::string_view became) {
  const bool has_limit = table.capture.max_bytes != 0 && op != CaptureOp::truncate;
  return pg_payload(table.capture, op, was, became, has_limit ? "oversize" : "");
}

std::string pg_failed_payload(const CapturedTable& table, CaptureOp op) {
  return pg_text(payload_head(table.capture, op) + ",\"old\":null,\"new\":null,\"context\":") +
         " || context || ',\"error\":' || to_json(SQLERRM)::text || '}'";
}

std::string pg_target(const CapturedTable& table, CaptureOp op) {
  return pg_text(std::string(event_prefix) + table.capture.event_of(op));
}

std::string pg_dollar_quote(std::string_view text) {
  std::string quote = "$capture$";
  for (int number = 1; text.find(quote) != std::string_view::npos; ++number) {
    quote = "$capture_" + std::to_string(number) + "$";
  }
  return quote;
}

}  // namespace action_triggers::detail
