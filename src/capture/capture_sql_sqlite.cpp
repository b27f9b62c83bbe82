// SPDX-License-Identifier: MIT
// Every column is listed, since SQLite has no value for a whole row.
//
// The conflict clause of the application's statement holds for what its triggers write, too: no table that is written
// here has a constraint, so that none of it can be left out.
//
// A REPLACE removes rows without a word, unless the connection has PRAGMA recursive_triggers. So what it may remove is
// noted before (preinsert, preupdate), and told of once the row is written (insert, postupdate), if it is gone then.
// With the pragma the delete trigger has told of it, and taken the note away.
#include "capture/capture_sql_sqlite.hpp"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string_view>

#include "capture/sql_text.hpp"
#include "capture/sqlite_expressions.hpp"
#include "capture/trigger_name.hpp"
#include "outbox/outbox_row.hpp"

namespace action_triggers::detail {
namespace {

const std::string null_text = "'null'";
constexpr const char* row_alias = "\"_at_row\"";

/// What an event has in place of `old` and `new`, as expressions; the smaller ones are for payloads that are too large.
struct Images {
  std::string was = null_text;
  std::string became = null_text;
  std::string small_was = null_text;
  std::string small_became = null_text;
};

class TriggerWriter {
 public:
  TriggerWriter(const CapturedTable& table, const OutboxConfig& outbox)
      : table_(table), capture_(table.capture), outbox_(sql_name(outbox.table)) {}

  /// All of them; names come out in `names`.
  std::string write(std::vector<std::string>& names) {
    const bool follows_replace = capture_.has(CaptureOp::remove) && !table_.table.unique.empty();
    std::string sql;
    if (capture_.has(CaptureOp::update)) sql += update_trigger(names);
    if (capture_.has(CaptureOp::remove)) sql += delete_trigger(names, follows_replace);
    if (follows_replace) {
      sql += trigger("preinsert", "BEFORE INSERT", "", note_replaced(), names);
      const std::string moves = sqlite_differs(unique_columns());  // UPDATE OF knows no generated columns, nor "rowid"
      sql += trigger("preupdate", "BEFORE UPDATE", moves, note_replaced(), names);
      sql += trigger("postupdate", "AFTER UPDATE", moves, tell_replaced(" AND source IS NOT " + source("OLD")), names);
    }
    if (capture_.has(CaptureOp::insert) || follows_replace) sql += insert_trigger(names, follows_replace);
    return sql;
  }

 private:
  std::string insert_trigger(std::vector<std::string>& names, bool follows_replace) {
    std::string body = follows_replace ? tell_replaced("") : "";
    if (capture_.has(CaptureOp::insert)) {
      body += insert_event(CaptureOp::insert, sqlite_key(table_.key, "NEW"), images("", "NEW"),
                           capture_.when_of(CaptureOp::insert));
    }
    return trigger("insert", "AFTER INSERT", "", body, names);
  }

  std::string update_trigger(std::vector<std::string>& names) {
    const std::string old_key = sqlite_key(table_.key, "OLD");
    const std::string new_key = sqlite_key(table_.key, "NEW");
    const std::string key_differs = table_.key.empty() ? "0" : "(" + old_key + ") IS NOT (" + new_key + ")";
    Images changed = images("OLD", "NEW");
    if (capture_.old == CaptureOld::changed) changed.was = sqlite_changes(table_.columns);
    std::string body = insert_event(CaptureOp::update, new_key, changed, "NOT (" + key_differs + ")");
    if (!table_.key.empty()) {  // two rows for who reads events: one is gone, another is there
      body += insert_event(CaptureOp::remove, old_key, images("OLD", ""), key_differs);
      body += insert_event(CaptureOp::insert, new_key, images("", "NEW"), key_differs);
    }
    std::string when = "(" + sqlite_differs(table_.columns);
    if (!table_.key.empty()) when += "\n    OR " + sqlite_differs(table_.key);
    return trigger("update", "AFTER UPDATE", when + ")" + and_condition(capture_.when_of(CaptureOp::update)), body,
                   names);
  }

  std::string delete_trigger(std::vector<std::string>& names, bool follows_replace) {
    std::string body;
    if (follows_replace) {
      body = "  DELETE FROM " + replaced_ + " WHERE capture = " + sql_text(capture_.name) + " AND source IS " +
             source("OLD") + ";\n";
    }
    body += insert_event(CaptureOp::remove, sqlite_key(table_.key, "OLD"), images("OLD", ""),
                         capture_.when_of(CaptureOp::remove));
    return trigger("delete", "AFTER DELETE", "", body, names);
  }

  // ----------------------------------------------------------------------------------------------------------- REPLACE

  /// Rows that the unique indexes do not allow beside NEW. Their alias is OLD, for which the condition is written too.
  std::string note_replaced() const {
    std::string conflicts;
    for (const UniqueColumns& index : table_.table.unique) {
      std::string same;
      for (const UniqueColumns::Column& column : index.columns) {
        const std::string name = sql_name(column.name);
        same +=
            (same.empty() ? "OLD." : " AND OLD.") + name + " = NEW." + name + " COLLATE " + sql_name(column.collation);
      }
      conflicts += (conflicts.empty() ? "(" : "\n      OR (") + same + ")";
    }
    const Images old = images("OLD", "");
    return forget_replaced() + "  INSERT INTO " + replaced_ + " (capture, source, key, was)\n    SELECT " +
           sql_text(capture_.name) + ", " + source_of_alias() + ", " + sqlite_key(table_.key, "OLD") + ", " +
           limited_old(old) + "\n    FROM " + table_as_old() + " WHERE (" + conflicts + ")" +
           and_condition(capture_.when_of(CaptureOp::remove)) + ";\n";
  }

  std::string limited_old(const Images& old) const {
    if (capture_.max_bytes == 0) return old.was;
    return "CASE WHEN length(CAST(" + old.was + " AS BLOB)) <= " + std::to_string(capture_.max_bytes) + " THEN " +
           old.was + " ELSE " + old.small_was + " END";
  }

  std::string tell_replaced(const std::string& which) const {
    const std::string where = " WHERE capture = " + sql_text(capture_.name) + which + is_gone();
    return "  INSERT INTO " + outbox_ + " (target, key, content_type, body)\n    SELECT " + target(CaptureOp::remove) +
           ", key, 'application/json', " + payload(CaptureOp::remove, "was", null_text) + "\n    FROM " + replaced_ +
           where + ";\n" + forget_replaced();
  }

  /// Before an INSERT that leaves the rowid to SQLite it is -1, which may be that of another row. And a trigger of the
  /// application's may have inserted into the table meanwhile, in vain.
  std::string is_gone() const {
    if (table_.table.rowid.empty()) return {};
    return "\n      AND (source IS " + source("NEW") + " OR NOT EXISTS (SELECT 1 FROM " +
           sql_name(capture_.table.name) + " AS " + row_alias + " WHERE " + source(row_alias) + " = " + replaced_ +
           ".source))";
  }

  std::string forget_replaced() const {
    return "  DELETE FROM " + replaced_ + " WHERE capture = " + sql_text(capture_.name) + ";\n";
  }

  /// Which row it is, for SQLite.
  std::string source(std::string_view row) const {
    if (table_.table.rowid.empty()) return sqlite_key(table_.table.primary_key, row);
    return std::string(row) + "." + sql_name(table_.table.rowid);
  }

  /// The table in a query, its alias OLD. An alias with the name of a trigger's own row has the table's columns, but
  /// not its rowid: that gets a name there.
  std::string table_as_old() const {
    const std::string name = sql_name(capture_.table.name);
    if (!has_hidden_rowid()) return name + " AS OLD";
    return "(SELECT " + table_.table.rowid + " AS " + row_alias + ", * FROM " + name + ") AS OLD";
  }
  std::string source_of_alias() const { return has_hidden_rowid() ? std::string("OLD.") + row_alias : source("OLD"); }
  bool has_hidden_rowid() const {
    const auto& columns = table_.table.columns;
    return !table_.table.rowid.empty() &&
           std::find(columns.begin(), columns.end(), table_.table.rowid) == columns.end();
  }

  std::vector<std::string> unique_columns() const {
    std::set<std::string> names;
    for (const UniqueColumns& index : table_.table.unique) {
      for (const UniqueColumns::Column& column : index.columns) names.insert(column.name);
    }
    return {names.begin(), names.end()};
  }

  // ------------------------------------------------------------------------------------------------------------ events

  Images images(std::string_view old_row, std::string_view new_row) const {
    Images result;
    if (!old_row.empty() && capture_.old != CaptureOld::none) {
      result.was = sqlite_image(table_.columns, old_row);
      result.small_was = sqlite_image(table_.key, old_row);
    }
    if (!new_row.empty()) {
      result.became = sqlite_image(table_.columns, new_row);
      result.small_became = sqlite_image(table_.key, new_row);
    }
    return result;
  }

  std::string target(CaptureOp op) const { return sql_text(std::string(event_prefix) + capture_.event_of(op)); }

  std::string payload(CaptureOp op, const std::string& was, const std::string& became, bool is_oversize = false) const {
    return sql_text("{\"op\":\"" + std::string(to_string(op)) + "\",\"table\":" + json_text_of(capture_.table_text) +
                    ",\"old\":") +
           " || " + was + " || ',\"new\":' || " + became + " || ',\"context\":' || " +
           sqlite_context(sqlite_context_table) + " || '" + (is_oversize ? ",\"oversize\":true" : "") + "}'";
  }

  std::string insert_event(CaptureOp op, const std::string& key, const Images& images, const std::string& when) const {
    const std::string head = "  INSERT INTO " + outbox_ + " (target, key, content_type, body)\n    SELECT " +
                             target(op) + ", " + key + ", 'application/json',\n      ";
    const std::string where = when.empty() ? "" : "\n    WHERE (\n" + when + "\n    )";
    if (capture_.max_bytes == 0) return head + payload(op, images.was, images.became) + where + ";\n";
    const std::string most = std::to_string(capture_.max_bytes);
    const std::string size_of_new = "length(CAST(became AS BLOB))";
    std::string text = "CASE WHEN length(CAST(was AS BLOB)) + " + size_of_new + " <= " + most + " THEN\n      " +
                       payload(op, "was", "became") + "\n      ";
    const bool keeps_new = op == CaptureOp::update && capture_.oversize == CaptureOversize::without_old;
    if (keeps_new) {
      text +=
          "WHEN " + size_of_new + " <= " + most + " THEN\n      " + payload(op, null_text, "became", true) + "\n      ";
    }
    text += "ELSE\n      " + payload(op, keeps_new ? null_text : images.small_was, images.small_became, true) + " END";
    return head + text + "\n    FROM (SELECT " + images.was + " AS was, " + images.became + " AS became)" + where +
           ";\n";
  }

  std::string trigger(const std::string& part, const std::string& event, const std::string& when,
                      const std::string& body, std::vector<std::string>& names) const {
    const std::string definition = " " + event + " ON " + sql_name(capture_.table.name) +
                                   " FOR EACH ROW\n  WHEN (SELECT skip FROM " + sql_name(sqlite_context_table) +
                                   ") IS NOT 1" + (when.empty() ? "" : "\n    AND ") + when + "\nBEGIN\n" + body +
                                   "END;\n";
    names.push_back(trigger_name(capture_.name, part, definition));
    return "CREATE TRIGGER IF NOT EXISTS " + sql_name(names.back()) + definition + "\n";
  }

  const CapturedTable& table_;
  const TableCapture& capture_;
  const std::string outbox_;
  const std::string replaced_ = sql_name(sqlite_replaced_table);
};

std::string drop_triggers(const std::vector<InstalledTrigger>& installed, const std::string& capture,
                          const std::vector<std::string>& kept) {
  std::string sql;
  for (const InstalledTrigger& trigger : installed) {
    const bool is_kept = std::find(kept.begin(), kept.end(), trigger.name) != kept.end();
    if (capture_of_trigger(trigger.name) == capture && !is_kept) {
      sql += "DROP TRIGGER IF EXISTS " + sql_name(trigger.name) + ";\n";
    }
  }
  return sql;
}

/// What every capture needs.
std::string own_tables() {
  const std::string context = sql_name(sqlite_context_table);
  return "CREATE TABLE IF NOT EXISTS " + context + " (context TEXT, skip INTEGER DEFAULT 0);\nINSERT INTO " + context +
         " (context, skip) SELECT NULL, 0 WHERE NOT EXISTS (SELECT 1 FROM " + context +
         ");\nCREATE TABLE IF NOT EXISTS " + sql_name(sqlite_replaced_table) +
         " (capture TEXT, source, key TEXT, was TEXT);\n";
}

}  // namespace

CaptureSql sqlite_capture_sql(const CapturedTable& table, const OutboxConfig& outbox,
                              const std::vector<InstalledTrigger>& installed) {
  CaptureSql result;
  const std::string created = TriggerWriter(table, outbox).write(result.triggers);
  result.sql = "-- The capture '" + table.capture.name + "'.\n" + own_tables() +
               drop_triggers(installed, table.capture.name, result.triggers) + "\n" + created;
  return result;
}

std::string sqlite_remove_capture_sql(const std::vector<std::string>& captures,
                                      const std::vector<InstalledTrigger>& installed) {
  std::string sql;
  for (const std::string& capture : captures) sql += drop_triggers(installed, capture, {});
  const bool leaves_some = std::any_of(installed.begin(), installed.end(), [&](const InstalledTrigger& trigger) {
    const auto capture = capture_of_trigger(trigger.name);
    return capture && std::find(captures.begin(), captures.end(), *capture) == captures.end();
  });
  if (!leaves_some) {
    sql += "DROP TABLE IF EXISTS " + sql_name(sqlite_replaced_table) + ";\n";
    sql += "DROP TABLE IF EXISTS " + sql_name(sqlite_context_table) + ";\n";
  }
  return sql;
}

}  // namespace action_triggers::detail
