// SPDX-License-Identifier: MIT
/// A real database in a folder of its own, with the outbox's tables, and the application's connection to it.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "databases/sqlite/sqlite_schema.hpp"
#include "outbox/outbox_config.hpp"
#include "support/temporary_folder.hpp"

namespace action_triggers::tests {

/// What an application has open.
class SqliteSession {
 public:
  explicit SqliteSession(const std::string& path, const char* vfs = nullptr) {
    const int opened = sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs);
    if (opened != SQLITE_OK) throw std::runtime_error("cannot open " + path);
    sqlite3_busy_timeout(db_, 20'000);
    execute("PRAGMA synchronous=OFF");  // faster; tests of what that means set it
  }
  ~SqliteSession() { sqlite3_close_v2(db_); }
  SqliteSession(const SqliteSession&) = delete;
  SqliteSession& operator=(const SqliteSession&) = delete;

  [[nodiscard]] sqlite3* get() const { return db_; }

  void execute(const std::string& sql) const {
    if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sql + ": " + sqlite3_errmsg(db_));
    }
  }
  /// The first column of each row, as text.
  [[nodiscard]] std::vector<std::string> column(const std::string& sql) const {
    std::vector<std::string> values;
    const auto add = [](void* to, int, char** row, char**) {
      static_cast<std::vector<std::string>*>(to)->emplace_back(row[0] == nullptr ? "NULL" : row[0]);
      return 0;
    };
    if (sqlite3_exec(db_, sql.c_str(), add, &values, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sql + ": " + sqlite3_errmsg(db_));
    }
    return values;
  }
  /// The rows, columns separated by |.
  [[nodiscard]] std::vector<std::string> lines(const std::string& sql) const {
    std::vector<std::string> lines;
    const auto add = [](void* to, int columns, char** row, char**) {
      std::string& line = static_cast<std::vector<std::string>*>(to)->emplace_back();
      for (int column = 0; column < columns; ++column) {
        if (column > 0) line += '|';
        if (row[column] != nullptr) line += row[column];
      }
      return 0;
    };
    if (sqlite3_exec(db_, sql.c_str(), add, &lines, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sql + ": " + sqlite3_errmsg(db_));
    }
    return lines;
  }
  [[nodiscard]] std::string text(const std::string& sql) const {
    const auto values = column(sql);
    return values.empty() ? "" : values.front();
  }
  [[nodiscard]] std::int64_t number(const std::string& sql) const { return std::stoll(text(sql)); }

  /// As an application would with Outbox::insert_statement(); its id.
  std::int64_t insert(const std::string& target, const std::string& body) const {
    execute("INSERT INTO action_triggers_outbox (target, body) VALUES ('" + target + "', '" + body + "')");
    return sqlite3_last_insert_rowid(db_);
  }

 private:
  sqlite3* db_ = nullptr;
};

inline detail::OutboxConfig sqlite_config(const std::string& path) {
  detail::OutboxConfig config;
  config.type = detail::OutboxType::sqlite;
  config.path = path;
  return config;
}

/// A folder, a database with the tables, a connection.
class SqliteDatabase {
 public:
  explicit SqliteDatabase(const std::string& journal_mode = "wal", const char* vfs = nullptr)
      : config(sqlite_config(folder.file("shop.db"))), application(config.path, vfs) {
    application.execute("PRAGMA journal_mode=" + journal_mode);
    application.execute(detail::sqlite_schema(config));
  }

  const TemporaryFolder folder;
  const detail::OutboxConfig config;
  const SqliteSession application;
};

}  // namespace action_triggers::tests
