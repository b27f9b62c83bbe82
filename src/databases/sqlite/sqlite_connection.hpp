// SPDX-License-Identifier: MIT
/// Connections to the application's database, and their statements. All of it throws StoreError.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "databases/sqlite/sqlite_file.hpp"
#include "outbox/outbox_store.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace action_triggers::detail {

/// What tests have otherwise.
struct SqliteOptions {
  std::chrono::milliseconds busy_limit{2000};  // how long to try for a lock
  std::int64_t (*file_system)(const std::string& path) = file_system_of;
  const char* vfs = nullptr;  // SQLite's default
};

/// How long to sleep until the next try for a lock, in microseconds: about 100. SQLite's own handler sleeps ever
/// longer, and so finds no gap between the transactions of a connection that writes without a pause. `random`: any
/// number.
std::uint32_t busy_pause_us(std::uint32_t random) noexcept;

/// StoreError with the extended code of SQLite.
class SqliteError : public StoreError {
 public:
  SqliteError(int code, const std::string& text) : StoreError(text), code_(code) {}
  /// Another connection has the lock. (Not: a snapshot that others have overtaken, which stays so.)
  [[nodiscard]] bool may_be_repeated() const noexcept;

 private:
  const int code_;
};

/// A connection, whoever owns it. Threads: one at a time.
class SqliteHandle {
 public:
  /// Of the application.
  explicit SqliteHandle(sqlite3* db);

  [[nodiscard]] sqlite3* get() const noexcept { return db_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// False in a child of fork(): what the parent has open must not be touched there.
  [[nodiscard]] bool is_ours() const noexcept { return process_ == ::getpid(); }
  /// False after some errors, too: SQLite rolls back by itself then.
  [[nodiscard]] bool is_in_transaction() const noexcept;

  /// Statements without parameters and results.
  void execute(const std::string& sql, std::string_view doing);
  [[noreturn]] void fail(int code, std::string_view doing) const;

 protected:
  explicit SqliteHandle(std::string path) : path_(std::move(path)) {}

  sqlite3* db_ = nullptr;

 private:
  const std::string path_;
  const pid_t process_ = ::getpid();
};

/// One of the outbox's own. What is left of it in a child of fork() is not touched there.
class SqliteConnection : public SqliteHandle {
 public:
  /// Opens a file that exists and can be written.
  SqliteConnection(const std::string& path, const SqliteOptions& options);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  [[nodiscard]] bool is_wal() const noexcept { return is_wal_; }
  /// Which file it is, wherever that is by now.
  [[nodiscard]] const FileIdentity& identity() const noexcept { return *identity_; }
  /// False: somebody has put another file in its place, or removed it.
  [[nodiscard]] bool is_at_its_path() const;

 private:
  void open(const SqliteOptions& options);
  void configure();
  void close() noexcept;
  static int on_busy(void* self, int tries) noexcept;

  const std::chrono::milliseconds busy_limit_;
  std::optional<FileIdentity> identity_;
  bool is_wal_ = false;
  std::uint32_t random_;
  std::chrono::steady_clock::time_point busy_since_{};
};

/// A prepared statement; it must not outlive its connection. Parameters count from 1, columns from 0. An unfinished one
/// holds a lock and keeps the log from being reused, so use() resets it at the end of a scope.
class SqliteStatement {
 public:
  SqliteStatement(SqliteHandle& connection, const std::string& sql, std::string_view doing);
  ~SqliteStatement();
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

  class Use {
   public:
    explicit Use(SqliteStatement& statement) : statement_(statement) {}
    ~Use() { statement_.reset(); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    SqliteStatement& statement_;
  };
  [[nodiscard]] Use use() { return Use(*this); }

  // What is bound must live until the statement is reset.
  void bind(int parameter, std::int64_t value);
  void bind_text(int parameter, std::string_view value);
  void bind_blob(int parameter, std::string_view value);
  void bind_null(int parameter);

  /// True: there is a row.
  bool step();
  /// For statements without results: step() to the end, and reset.
  void run();

  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] bool is_number(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  /// Text as UTF-8, a BLOB byte for byte; "" for NULL. Valid until the next step() or reset().
  [[nodiscard]] std::string_view bytes(int column) const;
  [[nodiscard]] std::optional<std::string> optional_bytes(int column) const;

 private:
  void reset() noexcept;
  void check(int code) const;

  SqliteHandle& connection_;
  const std::string doing_;
  sqlite3_stmt* statement_ = nullptr;
};

/// From construction on, until commit() or the end of the scope, which undoes it.
class SqliteWriting {
 public:
  /// BEGIN IMMEDIATE: waits for the lock here. A transaction that reads first cannot wait for it later.
  explicit SqliteWriting(SqliteConnection& connection, std::string_view doing);
  ~SqliteWriting();
  SqliteWriting(const SqliteWriting&) = delete;
  SqliteWriting& operator=(const SqliteWriting&) = delete;
  void commit();

 private:
  SqliteConnection& connection_;
  const std::string_view doing_;
};

/// All that is read in its scope is of one snapshot.
class SqliteReading {
 public:
  explicit SqliteReading(SqliteConnection& connection, std::string_view doing);
  ~SqliteReading();
  SqliteReading(const SqliteReading&) = delete;
  SqliteReading& operator=(const SqliteReading&) = delete;

 private:
  SqliteConnection& connection_;
};

}  // namespace action_triggers::detail
