// SPDX-License-Identifier: MIT
#include "capture/capture_fields.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/suggestion.hpp"
#include "capture/capture_section.hpp"
#include "capture/table_name.hpp"
#include "config/section_reader.hpp"
#include "triggers/event_pattern.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::string_view in_capture = "capture";
constexpr std::size_t longest_name = 63;  // PostgreSQL cuts longer ones off
constexpr std::int64_t least_bytes = 1000;
constexpr std::int64_t most_bytes = 1'000'000'000;

std::string the_field(std::string_view key) { return "The field '" + std::string(key) + "' "; }

void read_table(ConfigSection& from, std::string_view key, TableCapture& capture) {
  const auto text = from.string(key);
  if (!text) return;
  const auto name = parse_table_name(*text);
  if (!name) {
    from.problem(key, the_field(key) + "must be a table's name, or a schema's and a table's: orders, shop.orders.",
                 "A name with a dot or a quote stands in double quotes, as in SQL.");
  } else if (name->name.size() > longest_name || name->schema.size() > longest_name) {
    from.problem(key, the_field(key) + "has a name of more than 63 bytes.");
  } else {
    capture.table = *name;
    capture.table_text = *text;
  }
}

/// "{name}" in the text that is not {op}; empty: there is none.
std::string unknown_placeholder(std::string_view text) {
  for (std::size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
    const std::string_view rest = text.substr(open);
    if (!rest.starts_with(op_placeholder)) return std::string(rest.substr(0, rest.find('}') + 1));
  }
  return {};
}

void read_event(ConfigSection& from, std::string_view key, TableCapture& capture) {
  const auto text = from.string(key);
  if (!text) return;
  if (const std::string wrong = unknown_placeholder(*text); !wrong.empty()) {
    from.problem(key, the_field(key) + "knows no " + from.quoted(key, wrong) + ".",
                 "{op} is 'insert', 'update', 'delete' or 'truncate'.");
  } else if (has_wildcards(*text)) {
    from.problem(key, the_field(key) + "must be a name, not a pattern: '*' and '#' are wildcards.");
  } else if (std::string wrong_name = wrong_pattern(*text); !wrong_name.empty()) {
    from.problem(key, std::move(wrong_name));
  } else {
    capture.event = *text;
  }
}

/// A list of different names; nothing: it is wrong, which is said.
std::optional<std::vector<std::string>> read_names(ConfigSection& from, std::string_view key) {
  auto names = from.strings(key);
  if (!names) return names;
  std::set<std::string> seen;
  for (const std::string& name : *names) {
    if (!seen.insert(name).second) from.problem(key, the_field(key) + "has " + from.quoted(key, name) + " twice.");
  }
  return names;
}

void read_ops(ConfigSection& from, std::string_view key, TableCapture& capture) {
  const auto names = read_names(from, key);
  if (!names) return;
  if (names->empty()) return from.problem(key, the_field(key) + "must not be empty.");
  static const std::set<std::string, std::less<>> known{"insert", "update", "delete"};
  capture.ops.clear();
  for (const std::string& name : *names) {
    if (!known.contains(name)) {
      from.problem(key, "There is no operation " + from.quoted(key, name) + ".", suggestion(name, known));
    }
  }
  for (const CaptureOp op : row_ops) {
    if (std::find(names->begin(), names->end(), to_string(op)) != names->end()) capture.ops.push_back(op);
  }
}

void read_columns(ConfigSection& from, std::string_view key, TableCapture& capture) {
  auto names = read_names(from, key);
  if (!names || *names == std::vector<std::string>{"*"}) return;
  if (names->empty()) return from.problem(key, the_field(key) + R"(must not be empty; ["*"] is all of them.)");
  if (std::find(names->begin(), names->end(), "*") != names->end()) {
    return from.problem(key, the_field(key) + "has '*' beside other names.");
  }
  capture.columns = std::move(*names);
}

void check_condition(ConfigSection& from, std::string_view key, std::string_view sql, CaptureOp op) {
  if (op == CaptureOp::insert && has_sql_word(sql, "old")) {
    from.problem(key, "A condition on an insert has no OLD.", R"(Give one for each operation: {"update": "…"}.)");
  }
  if (op == CaptureOp::remove && has_sql_word(sql, "new")) {
    from.problem(key, "A condition on a delete has no NEW.", R"(Give one for each operation: {"update": "…"}.)");
  }
}

void read_when(ConfigSection& from, std::string_view key, TableCapture& capture) {
  const auto& all = row_ops;
  if (!SectionReader::of(from).find(key)->is(Node::Kind::object)) {
    const auto sql = from.string(key);
    if (!sql) return;
    for (const CaptureOp op : all) {
      if (!capture.has(op)) continue;
      check_condition(from, key, *sql, op);
      capture.when.at(static_cast<std::size_t>(op)) = *sql;
    }
    return;
  }
  ConfigSection conditions = from.object(key);
  for (const CaptureOp op : all) {
    const std::string_view name = to_string(op);
    const auto sql = conditions.string(name);
    if (!sql) continue;
    check_condition(conditions, name, *sql, op);
    if (!capture.has(op)) conditions.problem(name, "The field '" + std::string(name) + "' is not one of 'ops'.");
    capture.when.at(static_cast<std::size_t>(op)) = *sql;
  }
}

Field<TableCapture> names_field(std::string key, std::string values, std::string default_value, std::string description,
                                void (*read)(ConfigSection&, std::string_view, TableCapture&)) {
  return custom_field<TableCapture>(in_capture, std::move(key), "list of str", std::move(values),
                                    std::move(default_value), std::move(description), read);
}

std::vector<CaptureField> make_fields() {
  const auto of_postgresql = [](Field<TableCapture> field) {
    field.description += " Only PostgreSQL.";
    return CaptureField{std::move(field), true};
  };
  std::vector<CaptureField> fields;
  fields.push_back(
      {custom_field<TableCapture>(in_capture, "table", "str", "", "",
                                  "The table; in PostgreSQL with its schema, or that of the outbox is meant. "
                                  "A name with a dot in it stands in double quotes.",
                                  read_table)
           .require()});
  fields.push_back({custom_field<TableCapture>(in_capture, "event", "str", "", "the entry's name and `.{op}`",
                                               "The event's name. `{op}` is what happened.", read_event)});
  fields.push_back({names_field("key", "may be empty", "the primary key",
                                "The columns that say which row it is: the message's key. `[]`: none.",
                                [](ConfigSection& from, std::string_view key, TableCapture& capture) {
                                  const Node& value = *SectionReader::of(from).find(key);
                                  const bool is_none = value.is(Node::Kind::array) && value.items.empty();
                                  capture.key = is_none ? std::vector<std::string>() : read_names(from, key);
                                })});
  fields.push_back(
      {names_field("ops", "`insert`, `update` or `delete`", "all", "Which operations are captured.", read_ops)});
  fields.push_back({names_field("columns", "", "all", "The columns that events have.", read_columns)});
  fields.push_back({names_field("exclude", "", "none", "All columns but these.",
                                [](ConfigSection& from, std::string_view key, TableCapture& capture) {
                                  if (auto names = read_names(from, key)) capture.exclude = std::move(*names);
                                })});
  fields.push_back({custom_field<TableCapture>(in_capture, "when", "str or dict of str", "", "always",
                                               "A condition in the database's own SQL, on `OLD` and `NEW`; one for all "
                                               "operations, or one for each.",
                                               read_when)});
  fields.push_back({choice_field<TableCapture>(
      in_capture, "old", &TableCapture::old,
      {{"all", CaptureOld::all}, {"changed", CaptureOld::changed}, {"none", CaptureOld::none}},
      "What events have of the row as it was; `changed`: of an update, the columns that it changed.")});
  fields.push_back(of_postgresql(choice_field<TableCapture>(
      in_capture, "level", &TableCapture::level, {{"row", CaptureLevel::row}, {"statement", CaptureLevel::statement}},
      "Whether SQL triggers run once a row, or once a statement, which is cheaper where statements have many rows.")));
  fields.push_back(of_postgresql(choice_field<TableCapture>(
      in_capture, "truncate", &TableCapture::truncate,
      {{"event", CaptureTruncate::event}, {"refuse", CaptureTruncate::refuse}, {"ignore", CaptureTruncate::ignore}},
      "What a TRUNCATE of the table is.")));
  fields.push_back(
      {integer_field<TableCapture>(in_capture, "max_bytes", &TableCapture::max_bytes, least_bytes, most_bytes,
                                   "no limit", "How many bytes `old` and `new` may have together.")});
  fields.push_back({choice_field<TableCapture>(
      in_capture, "oversize", &TableCapture::oversize,
      {{"key_only", CaptureOversize::key_only}, {"without_old", CaptureOversize::without_old}},
      "What is left of larger ones: the key's columns, or all of `new` if that is small enough.")});
  fields.push_back(of_postgresql(flag_field<TableCapture>(
      in_capture, "replica", &TableCapture::replica, "false",
      "Also what replication writes here, and sessions with `session_replication_role = replica`.")));
  return fields;
}

}  // namespace

const std::vector<CaptureField>& capture_field_table() {
  static const std::vector<CaptureField> fields = make_fields();
  return fields;
}

std::vector<const FieldInfo*> capture_fields() {
  std::vector<const FieldInfo*> fields;
  for (const CaptureField& field : capture_field_table()) fields.push_back(&field);
  return fields;
}

}  // namespace action_triggers::detail
