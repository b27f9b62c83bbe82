// SPDX-License-Identifier: MIT
#include <sqlite3.h>

#include <action_triggers/sqlite.hpp>
#include <stdexcept>

#include "database.hpp"

namespace at = action_triggers;

namespace shop {
namespace {

struct Close {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

std::unique_ptr<sqlite3, Close> opened(const std::string& path) {
  sqlite3* database = nullptr;
  const int result = sqlite3_open(path.c_str(), &database);
  std::unique_ptr<sqlite3, Close> owner(database);
  if (result != SQLITE_OK) throw std::runtime_error(path + ": " + sqlite3_errstr(result));
  return owner;
}

class SqliteDatabase : public Database {
 public:
  explicit SqliteDatabase(const std::string& path) : database_(opened(path)) {
    sqlite3_busy_timeout(database_.get(), 5'000);  // the relay writes to the file, too
    execute("PRAGMA journal_mode = WAL", {});      // who reads need not wait for who writes
  }

  [[nodiscard]] std::string name() const override { return "SQLite"; }

  std::vector<Values> execute(const std::string& sql, const Values& values) override {
    sqlite3_stmt* prepared = nullptr;
    check(sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &prepared, nullptr));
    const std::unique_ptr<sqlite3_stmt, Close> statement(prepared);
    for (std::size_t i = 0; i < values.size(); ++i) {
      check(sqlite3_bind_text(prepared, static_cast<int>(i + 1), values[i].c_str(), -1, SQLITE_TRANSIENT));
    }
    std::vector<Values> rows;
    int result = SQLITE_ROW;
    while ((result = sqlite3_step(prepared)) == SQLITE_ROW) {
      Values& row = rows.emplace_back();
      for (int i = 0; i < sqlite3_column_count(prepared); ++i) {
        const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(prepared, i));
        row.emplace_back(text == nullptr ? "" : text);
      }
    }
    if (result != SQLITE_DONE) check(result);
    return rows;
  }

  std::unique_ptr<at::Outbox> open_outbox(at::TriggerDispatcher& dispatcher) override {
    return std::make_unique<at::SqliteOutbox>(dispatcher);  // the configuration names the file
  }

 private:
  void check(int result) const {
    if (result != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(database_.get()));
  }

  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace

std::unique_ptr<Database> open_sqlite(const std::string& path) { return std::make_unique<SqliteDatabase>(path); }

}  // namespace shop
