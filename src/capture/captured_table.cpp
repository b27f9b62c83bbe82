// SPDX-License-Identifier: MIT
#include "capture/captured_table.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "base/suggestion.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

[[noreturn]] void fail(const TableCapture& capture, const std::string& text) {
  throw StoreError("capture." + capture.name + ": " + text);
}

void check_exist(const TableCapture& capture, const DatabaseTable& table, const char* field,
                 const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (contains(table.columns, name)) continue;
    const std::set<std::string, std::less<>> known(table.columns.begin(), table.columns.end());
    fail(capture, "the table " + capture.table_text + " has no column '" + name + "', which '" + field + "' names. " +
                      suggestion(name, known));
  }
}

bool is_primary_key(const DatabaseTable& table, std::vector<std::string> key) {
  std::vector<std::string> primary = table.primary_key;
  std::sort(primary.begin(), primary.end());
  std::sort(key.begin(), key.end());
  return !key.empty() && primary == key;
}

}  // namespace

CapturedTable captured_table(const TableCapture& capture, DatabaseTable table) {
  check_exist(capture, table, "columns", capture.columns);
  check_exist(capture, table, "exclude", capture.exclude);
  if (capture.key) check_exist(capture, table, "key", *capture.key);
  if (!capture.key && table.primary_key.empty()) {
    fail(capture,
         "the table " + capture.table_text +
             " has no primary key. Say with 'key' which columns tell its rows apart; [] for messages without a "
             "key, whose order brokers do not keep.");
  }
  CapturedTable captured{.capture = capture,
                         .table = std::move(table),
                         .columns = capture.columns,
                         .has_all_columns = capture.columns.empty() && capture.exclude.empty(),
                         .key = {}};
  captured.key = capture.key ? *capture.key : captured.table.primary_key;
  if (captured.columns.empty()) {
    for (const std::string& name : captured.table.columns) {
      if (!contains(capture.exclude, name)) captured.columns.push_back(name);
    }
  }
  if (captured.columns.empty()) fail(capture, "'exclude' leaves no column of the table " + capture.table_text + ".");
  if (capture.level == CaptureLevel::statement && captured.table.is_partitioned) {
    fail(capture, "the table " + capture.table_text +
                      R"( has partitions. What is written to one of them directly is seen with "level": "row" only.)");
  }
  if (capture.level == CaptureLevel::statement && !is_primary_key(captured.table, captured.key)) {
    fail(capture, R"("level": "statement" needs the primary key as 'key': by it old and new rows are matched.)");
  }
  return captured;
}

}  // namespace action_triggers::detail
