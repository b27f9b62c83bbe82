// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_capture.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "capture/trigger_name.hpp"
#include "databases/sqlite/sqlite_connection.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::string_view doing = "Looking at the table";

class SqliteCapture : public CaptureDatabase {
 public:
  explicit SqliteCapture(const OutboxConfig& config) : connection_(config.path, SqliteOptions()) {}

  std::optional<DatabaseTable> table(const TableName& name) override {
    const auto kind = kind_of(name.name);
    if (!kind) return std::nullopt;
    if (*kind != "table") throw StoreError("'" + name.name + "' is a " + *kind + ": only tables can be captured.");
    DatabaseTable table;
    const bool has_integer_key = read_columns(name.name, table);
    read_rowid(name.name, table);
    // An INTEGER PRIMARY KEY is the rowid, and has no index.
    if (has_integer_key && !table.rowid.empty()) {
      table.rowid = table.primary_key.front();
      table.unique.push_back({{{table.rowid, "BINARY"}}});
    }
    read_unique_indexes(name.name, table);
    return table;
  }

  std::vector<InstalledTrigger> triggers() override {
    SqliteStatement statement(connection_,
                              "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND "
                              "substr(name, 1, length(?1)) = ?1 ORDER BY name",
                              "Looking at the SQL triggers");
    const auto use = statement.use();
    statement.bind_text(1, trigger_prefix);
    std::vector<InstalledTrigger> triggers;
    while (statement.step()) {
      InstalledTrigger trigger;
      trigger.name = statement.bytes(0);
      trigger.table = statement.bytes(1);
      triggers.push_back(std::move(trigger));
    }
    return triggers;
  }

  void run(const std::string& sql) override {
    SqliteWriting writing(connection_, "Changing the SQL triggers");
    connection_.execute(sql, "Changing the SQL triggers");
    writing.commit();
  }

 private:
  /// "table", "view", "virtual table"; nothing: there is none.
  std::optional<std::string> kind_of(const std::string& name) {
    SqliteStatement statement(connection_,
                              "SELECT CASE WHEN sql LIKE 'CREATE VIRTUAL%' THEN 'virtual table' ELSE type END FROM "
                              "sqlite_master WHERE type IN ('table', 'view') AND lower(name) = lower(?1)",
                              doing);
    const auto use = statement.use();
    statement.bind_text(1, name);
    if (!statement.step()) return std::nullopt;
    return std::string(statement.bytes(0));
  }

  /// Whether its primary key is one column of type INTEGER.
  bool read_columns(const std::string& name, DatabaseTable& table) {
    SqliteStatement statement(
        connection_, "SELECT name, type, pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid", doing);
    const auto use = statement.use();
    statement.bind_text(1, name);
    std::vector<std::pair<std::int64_t, std::string>> key;
    bool is_integer = false;
    while (statement.step()) {
      table.columns.emplace_back(statement.bytes(0));
      if (statement.integer(2) == 0) continue;
      key.emplace_back(statement.integer(2), table.columns.back());
      is_integer = ascii_lower(statement.bytes(1)) == "integer";
    }
    std::sort(key.begin(), key.end());
    for (auto& [place, column] : key) table.primary_key.push_back(std::move(column));
    return is_integer && key.size() == 1;
  }

  void read_rowid(const std::string& name, DatabaseTable& table) {
    // PRAGMA table_list has the answer since 3.37; this one is older: such a table's primary key index has all columns.
    SqliteStatement statement(
        connection_,
        "SELECT 1 FROM pragma_index_list(?1) AS list WHERE list.origin = 'pk' AND NOT EXISTS (SELECT 1 "
        "FROM sqlite_master WHERE type = 'index' AND name = list.name)",
        doing);
    const auto use = statement.use();
    statement.bind_text(1, name);
    if (statement.step()) return;
    for (const char* const candidate : {"rowid", "_rowid_", "oid"}) {
      const bool is_taken = std::any_of(table.columns.begin(), table.columns.end(),
                                        [&](const std::string& column) { return ascii_lower(column) == candidate; });
      if (is_taken) continue;
      table.rowid = candidate;
      return;
    }
    throw StoreError("The table '" + name +
                     "' has columns named rowid, _rowid_ and oid: its rows cannot be told apart.");
  }

  void read_unique_indexes(const std::string& name, DatabaseTable& table) {
    SqliteStatement statement(connection_,
                              "SELECT name, partial FROM pragma_index_list(?1) WHERE \"unique\" ORDER BY seq", doing);
    const auto use = statement.use();
    statement.bind_text(1, name);
    while (statement.step()) {
      const std::string index(statement.bytes(0));
      UniqueColumns columns;
      const bool is_seen = statement.integer(1) == 0 && read_index(index, columns);
      if (is_seen) {
        table.unique.push_back(std::move(columns));
      } else {
        table.unseen.push_back(index);
      }
    }
  }

  /// False: it has an expression.
  bool read_index(const std::string& index, UniqueColumns& columns) {
    SqliteStatement statement(connection_,
                              "SELECT cid, name, coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno", doing);
    const auto use = statement.use();
    statement.bind_text(1, index);
    while (statement.step()) {
      if (statement.integer(0) < 0) return false;
      columns.columns.push_back({std::string(statement.bytes(1)), std::string(statement.bytes(2))});
    }
    return true;
  }

  SqliteConnection connection_;
};

}  // namespace

std::unique_ptr<CaptureDatabase> open_sqlite_capture(const OutboxConfig& config) {
  return std::make_unique<SqliteCapture>(config);
}

}  // namespace action_triggers::detail
