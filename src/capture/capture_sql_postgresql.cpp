// SPDX-License-Identifier: MIT
// Each operation has a function and a trigger of its own.
//
// What could make the application's statement fail happens inside BEGIN … EXCEPTION: there the payload is built, and no
// row is written, so it costs no transaction id. A column that is gone since is found out there too; then the columns
// that are left are asked of the catalog, for each row, until the triggers are installed again. So is a column that has
// another type than when the session first ran the function, which a session keeps in mind for as long as it lasts.
//
// json, never jsonb: that one refuses \u0000. `*<>` compares rows by their bytes: the usual comparison fails for types
// without one, such as json.
#include "capture/capture_sql_postgresql.hpp"

#include <cstddef>
#include <string_view>
#include <utility>

#include "capture/capture_sql_parts.hpp"
#include "capture/capture_statement_sql.hpp"
#include "capture/sql_text.hpp"
#include "capture/trigger_name.hpp"

namespace action_triggers::detail {
namespace {

/// Of an insert or a delete, which have one row.
constexpr std::string_view one_row_body = R"(DECLARE
@context_variable@  row_key text;
  image text;
  oversize text := '';
  key bytea;
  body bytea;
BEGIN
@context@  BEGIN
    BEGIN
      row_key := @key@;
      image := @image@;
    EXCEPTION WHEN undefined_column OR datatype_mismatch THEN
      -- A migration has taken columns away, or changed their types: what there is of them now.
      EXECUTE @rest@ INTO row_key, image USING @row@;
    END;
@limit@    key := convert_to(row_key, 'UTF8');
    body := convert_to(@payload@, 'UTF8');
  EXCEPTION WHEN OTHERS THEN
    body := convert_to(@failed@, 'UTF8');
  END;
  INSERT INTO @outbox@ (target, key, content_type, body) VALUES (@target@, key, 'application/json', body);
  RETURN NULL;
END)";

constexpr std::string_view update_body = R"(DECLARE
@context_variable@  old_key text;
  new_key text;
  was text;
  became text;
  is_same boolean := false;
  oversize text := '';
  changes_key boolean := false;
  key bytea;
  body bytea;
  removed_key bytea;
  removed_body bytea;
BEGIN
@context@  BEGIN
    BEGIN
      old_key := @old_key@;
      new_key := @new_key@;
      was := @was@;
      became := @became@;
      is_same := @is_same@;
      changes_key := old_key IS DISTINCT FROM new_key;
@changed@    EXCEPTION WHEN undefined_column OR datatype_mismatch THEN
      -- A migration has taken columns away, or changed their types: what there is of them now.
      EXECUTE @rest@ INTO old_key, was USING OLD;
      EXECUTE @rest@ INTO new_key, became USING NEW;
      is_same := was = became;
      changes_key := old_key IS DISTINCT FROM new_key;
@forget@    END;
    IF is_same AND NOT changes_key THEN
      RETURN NULL;
    END IF;
@limit@    key := convert_to(new_key, 'UTF8');
    IF changes_key THEN
      -- Two rows for who reads events: one is gone, another is there.
      removed_key := convert_to(old_key, 'UTF8');
      removed_body := convert_to(@removed@, 'UTF8');
      body := convert_to(@inserted@, 'UTF8');
    ELSE
      body := convert_to(@updated@, 'UTF8');
    END IF;
  EXCEPTION WHEN OTHERS THEN
    changes_key := false;
    body := convert_to(@failed@, 'UTF8');
  END;
  IF changes_key THEN
    INSERT INTO @outbox@ (target, key, content_type, body) VALUES (@delete_target@, removed_key, 'application/json', removed_body);
    INSERT INTO @outbox@ (target, key, content_type, body) VALUES (@insert_target@, key, 'application/json', body);
  ELSE
    INSERT INTO @outbox@ (target, key, content_type, body) VALUES (@update_target@, key, 'application/json', body);
  END IF;
  RETURN NULL;
END)";

constexpr std::string_view truncate_body = R"(DECLARE
@context_variable@BEGIN
@context@  INSERT INTO @outbox@ (target, content_type, body)
    VALUES (@target@, 'application/json', convert_to(@payload@, 'UTF8'));
  RETURN NULL;
END)";

/// The query that gives a query of the row in $1, which selects what `selected` makes of the columns that are there.
std::string query_of_rest(const std::string& selected) {
  return "(SELECT 'SELECT ' || " + selected +
         " FROM pg_attribute WHERE attrelid = TG_RELID AND attnum > 0 AND NOT attisdropped)";
}

/// For query_of_rest: an object of these columns.
std::string image_of_rest(const std::vector<std::string>& columns) {
  const std::string names = pg_names(columns);
  return "coalesce('(SELECT row_to_json(r.*)::text FROM (SELECT ' || string_agg(format('($1).%I', attname), ', ' "
         "ORDER BY array_position(" +
         names + ", attname)) FILTER (WHERE attname = ANY (" + names + ")) || ') AS r)', '''{}''')";
}

/// Of the row its key and its columns.
std::string rest_of(const CapturedTable& table) {
  std::string key = "'NULL'";
  if (table.key.size() == 1) {
    key = "coalesce(string_agg(format('($1).%I::text', attname), '') FILTER (WHERE attname = " +
          pg_text(table.key.front()) + "), 'NULL')";
  } else if (table.key.size() > 1) {
    const std::string names = pg_names(table.key);
    key = "coalesce('json_build_array(' || string_agg(format('($1).%I', attname), ', ' ORDER BY array_position(" +
          names + ", attname)) FILTER (WHERE attname = ANY (" + names + ")) || ')::text', 'NULL')";
  }
  return query_of_rest(key + " || ', ' || " +
                       (follows_table(table) ? "'row_to_json($1)::text'" : image_of_rest(table.columns)));
}

/// Assigns the key's columns of the row to `image`.
std::string key_image(const CapturedTable& table, const std::string& image, const std::string& row) {
  return "      BEGIN\n        " + image + " := " + pg_image(table.key, row) +
         ";\n      EXCEPTION WHEN undefined_column OR datatype_mismatch THEN\n        EXECUTE " +
         query_of_rest(image_of_rest(table.key)) + " INTO " + image + " USING " + row + ";\n      END;\n";
}

std::string limit_of_one(const CapturedTable& table, const std::string& row) {
  if (table.capture.max_bytes == 0) return {};
  return "    IF octet_length(image) > " + std::to_string(table.capture.max_bytes) + " THEN\n" +
         key_image(table, "image", row) + "      oversize := ',\"oversize\":true';\n    END IF;\n";
}

std::string limit_of_update(const CapturedTable& table) {
  if (table.capture.max_bytes == 0) return {};
  const std::string most = std::to_string(table.capture.max_bytes);
  const bool has_old = table.capture.old != CaptureOld::none;
  const std::string new_key_only = key_image(table, "became", "NEW");
  std::string text = "    IF octet_length(was) + octet_length(became) > " + most + " THEN\n";
  if (table.capture.oversize == CaptureOversize::key_only) {
    text += (has_old ? key_image(table, "was", "OLD") : "      was := 'null';\n") + new_key_only;
  } else {
    text +=
        "      was := 'null';\n      IF octet_length(became) > " + most + " THEN\n" + new_key_only + "      END IF;\n";
  }
  return text + "      oversize := ',\"oversize\":true';\n    END IF;\n";
}

std::string one_row_function(const CapturedTable& table, const std::string& outbox, CaptureOp op) {
  const bool is_insert = op == CaptureOp::insert;
  const std::string row = is_insert ? "NEW" : "OLD";
  const bool says_image = is_insert || table.capture.old != CaptureOld::none;
  const std::string null = "'null'";
  const std::string image = says_image ? "image" : null;
  return filled(one_row_body, {{"context_variable", std::string(pg_context_variable)},
                               {"context", std::string(pg_context_block)},
                               {"key", pg_key(table.key, row)},
                               {"image", pg_row_image(table, row)},
                               {"rest", rest_of(table)},
                               {"row", row},
                               {"limit", says_image ? limit_of_one(table, row) : ""},
                               {"payload", pg_payload(table, op, is_insert ? null : image, is_insert ? image : null)},
                               {"failed", pg_failed_payload(table, op)},
                               {"outbox", outbox},
                               {"target", pg_target(table, op)}});
}

std::string update_function(const CapturedTable& table, const std::string& outbox) {
  const TableCapture& capture = table.capture;
  const bool has_old = capture.old != CaptureOld::none;
  const bool says_changes = capture.old == CaptureOld::changed;
  const std::string null = "'null'";
  return filled(update_body, {{"context_variable", std::string(pg_context_variable)},
                              {"context", std::string(pg_context_block)},
                              {"old_key", pg_key(table.key, "OLD")},
                              {"new_key", pg_key(table.key, "NEW")},
                              {"was", has_old ? pg_row_image(table, "OLD") : null},
                              {"became", pg_row_image(table, "NEW")},
                              {"is_same", follows_table(table) ? "false" : pg_is_same(table.columns)},
                              {"changed", says_changes ? "      IF NOT changes_key THEN\n        was := " +
                                                             pg_changes(table.columns) + ";\n      END IF;\n"
                                                       : ""},
                              {"rest", rest_of(table)},
                              {"forget", has_old ? "" : "      was := 'null';\n"},
                              {"limit", limit_of_update(table)},
                              {"removed", pg_payload(table, CaptureOp::remove, "was", null)},
                              {"inserted", pg_payload(table, CaptureOp::insert, null, "became")},
                              {"updated", pg_payload(table, CaptureOp::update, "was", "became")},
                              {"failed", pg_failed_payload(table, CaptureOp::update)},
                              {"outbox", outbox},
                              {"delete_target", pg_target(table, CaptureOp::remove)},
                              {"insert_target", pg_target(table, CaptureOp::insert)},
                              {"update_target", pg_target(table, CaptureOp::update)}});
}

std::string truncate_function(const CapturedTable& table, const std::string& outbox) {
  if (table.capture.truncate == CaptureTruncate::refuse) {
    return filled(
        "BEGIN\n  RAISE EXCEPTION USING MESSAGE = @text@, HINT = 'DELETE removes rows one by one, and is "
        "captured.';\nEND",
        {{"text", pg_text("TRUNCATE of " + table.capture.table_text + " is refused: its changes are captured.")}});
  }
  return filled(truncate_body, {{"context_variable", std::string(pg_context_variable)},
                                {"context", std::string(pg_context_block)},
                                {"outbox", outbox},
                                {"target", pg_target(table, CaptureOp::truncate)},
                                {"payload", pg_payload(table, CaptureOp::truncate, "'null'", "'null'")}});
}

/// A trigger and its function, but for their name.
struct Definition {
  std::string part;
  std::string body;
  std::string event;  // "AFTER INSERT"
  std::string level;  // "FOR EACH ROW WHEN (…)", with what else stands before EXECUTE
};

std::string after(CaptureOp op) {
  return op == CaptureOp::insert ? "AFTER INSERT" : op == CaptureOp::update ? "AFTER UPDATE" : "AFTER DELETE";
}

Definition row_definition(const CapturedTable& table, const std::string& outbox, CaptureOp op) {
  const std::string part(to_string(op));
  std::string when = std::string(pg_not_skipped);
  if (op == CaptureOp::update && follows_table(table)) when += "\n    AND OLD.* OPERATOR(pg_catalog.*<>) NEW.*";
  when += and_condition(table.capture.when_of(op));
  return {.part = part,
          .body = op == CaptureOp::update ? update_function(table, outbox) : one_row_function(table, outbox, op),
          .event = after(op),
          .level = "FOR EACH ROW WHEN (" + when + ")"};
}

Definition statement_definition(const CapturedTable& table, const std::string& outbox, CaptureOp op) {
  const std::string part(to_string(op));
  return {.part = part,
          .body = pg_statement_function(table, outbox, op),
          .event = after(op),
          .level = pg_transition_tables(op) + "\n  FOR EACH STATEMENT WHEN (" + std::string(pg_not_skipped) + ")"};
}

std::vector<Definition> definitions_of(const CapturedTable& table, const std::string& outbox) {
  std::vector<Definition> definitions;
  for (const CaptureOp op : table.capture.ops) {
    definitions.push_back(table.capture.level == CaptureLevel::row ? row_definition(table, outbox, op)
                                                                   : statement_definition(table, outbox, op));
  }
  if (table.capture.truncate != CaptureTruncate::ignore) {
    const bool refuses = table.capture.truncate == CaptureTruncate::refuse;
    definitions.push_back(
        {.part = "truncate",
         .body = truncate_function(table, outbox),
         .event = std::string(refuses ? "BEFORE" : "AFTER") + " TRUNCATE",
         .level = "FOR EACH STATEMENT" + (refuses ? std::string() : " WHEN (" + std::string(pg_not_skipped) + ")")});
  }
  return definitions;
}

constexpr std::string_view remove_template = R"(DO @quote@
DECLARE
  one record;
BEGIN
  FOR one IN SELECT t.tgrelid::regclass AS of_table, t.tgname FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgname ~ @pattern@ AND t.tgname <> ALL (@kept@)
      AND p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = @schema@)
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', one.tgname, one.of_table);
  END LOOP;
  FOR one IN SELECT oid::regprocedure AS name FROM pg_proc
    WHERE proname ~ @pattern@ AND proname <> ALL (@kept@) AND prorettype = 'trigger'::regtype
      AND pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = @schema@)
  LOOP
    EXECUTE format('DROP FUNCTION %s', one.name);
  END LOOP;
END @quote@;
)";

std::string remove_sql(const std::string& capture, const std::vector<std::string>& kept, const OutboxConfig& outbox) {
  const std::string schema = pg_text(outbox.schema);
  return filled(remove_template, {{"quote", pg_dollar_quote(schema)},
                                  {"pattern", pg_text(trigger_pattern(capture))},
                                  {"kept", pg_names(kept)},
                                  {"schema", schema}});
}

// Settings that decide how a value looks as text have the same value in every session. Nobody else may make triggers
// of these functions: they would write to the outbox in the owner's name.
constexpr std::string_view create_template = R"(CREATE OR REPLACE FUNCTION @function@() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'iso_8601' SET "TimeZone" = 'UTC'
  SET extra_float_digits = 1 SET bytea_output = 'hex'
AS @quote@
@body@
@quote@;
REVOKE ALL ON FUNCTION @function@() FROM PUBLIC;
CREATE OR REPLACE TRIGGER @trigger@ @event@ ON @table@
  @level@
  EXECUTE FUNCTION @function@();
@enable@
)";

std::string create_sql(const Definition& definition, const CapturedTable& table, const OutboxConfig& outbox,
                       std::vector<std::string>& names) {
  const std::string on = sql_name(table.capture.table.schema) + "." + sql_name(table.capture.table.name);
  const auto with_name = [&](const std::string& name) {
    const std::string trigger = sql_name(name);
    const std::string enable = "ALTER TABLE " + on + " ENABLE ALWAYS TRIGGER " + trigger + ";\n";
    return filled(create_template, {{"function", sql_name(outbox.schema) + "." + trigger},
                                    {"quote", pg_dollar_quote(definition.body)},
                                    {"body", definition.body},
                                    {"trigger", trigger},
                                    {"event", definition.event},
                                    {"table", on},
                                    {"level", definition.level},
                                    {"enable", table.capture.replica ? enable : ""}});
  };
  names.push_back(trigger_name(table.capture.name, definition.part, with_name("")));
  return with_name(names.back());
}

}  // namespace

CaptureSql pg_capture_sql(const CapturedTable& table, const OutboxConfig& outbox) {
  const std::string outbox_table = sql_name(outbox.schema) + "." + sql_name(outbox.table);
  CaptureSql result;
  std::string created;
  for (const Definition& definition : definitions_of(table, outbox_table)) {
    created += create_sql(definition, table, outbox, result.triggers);
  }
  result.sql = "-- The capture '" + table.capture.name + "'.\n" +
               remove_sql(table.capture.name, result.triggers, outbox) + "\n" + created;
  return result;
}

std::string pg_remove_capture_sql(const std::vector<std::string>& captures, const OutboxConfig& outbox) {
  std::string sql;
  for (const std::string& capture : captures) sql += remove_sql(capture, {}, outbox);
  return sql;
}

}  // namespace action_triggers::detail
