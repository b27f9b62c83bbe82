// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_connection.hpp"

#include <sqlite3.h>

#include <limits>
#include <random>
#include <thread>

#include "databases/sqlite/sqlite_errors.hpp"

namespace action_triggers::detail {
namespace {

void require_plain_path(const std::string& path) {
  if (path.empty() || path == ":memory:" || path.starts_with("file:")) {
    throw StoreError("The outbox's 'path' must be the path of a database's file, not '" + path +
                     "': other connections have to see the same database.");
  }
}

void require_local(const std::string& path, const SqliteOptions& options) {
  const std::string_view network = network_file_system(options.file_system(path));
  if (network.empty()) return;
  throw StoreError("The database '" + path + "' is on a network file system (" + std::string(network) +
                   "), where SQLite's locks do not keep processes apart: put it on a local disk, or use PostgreSQL.");
}

std::string file_of(sqlite3* db) {
  const char* name = sqlite3_db_filename(db, "main");
  return name == nullptr ? "" : name;
}

}  // namespace

std::uint32_t busy_pause_us(std::uint32_t random) noexcept { return 50 + random % 101; }

bool SqliteError::may_be_repeated() const noexcept {
  return (code_ & 0xFF) == SQLITE_BUSY && code_ != SQLITE_BUSY_SNAPSHOT;
}

SqliteHandle::SqliteHandle(sqlite3* db) : db_(db), path_(file_of(db)) {}

bool SqliteHandle::is_in_transaction() const noexcept { return sqlite3_get_autocommit(db_) == 0; }

void SqliteHandle::execute(const std::string& sql, std::string_view doing) {
  const int done = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (done != SQLITE_OK) fail(done, doing);
}

void SqliteHandle::fail(int code, std::string_view doing) const {
  // Of what SQLite did not say itself it has no text: db_readonly() is a question.
  sqlite3* said_it = db_ != nullptr && (sqlite3_errcode(db_) & 0xFF) == (code & 0xFF) ? db_ : nullptr;
  // The application's connection may not have extended codes on.
  const int exact = said_it == nullptr ? code : sqlite3_extended_errcode(db_);
  throw SqliteError(exact, sqlite_error_text(said_it, exact, doing, path_));
}

SqliteConnection::SqliteConnection(const std::string& path, const SqliteOptions& options)
    : SqliteHandle(path), busy_limit_(options.busy_limit), random_(std::random_device{}()) {
  require_plain_path(path);
  identity_ = identity_of(path);
  if (!identity_) {
    throw StoreError("There is no database '" + path +
                     "': it is the application's, and nobody else makes it. If the path is right, start the "
                     "application first; an empty file will do as well.");
  }
  require_local(path, options);
  try {
    open(options);
    configure();
  } catch (...) {
    close();
    throw;
  }
}

SqliteConnection::~SqliteConnection() { close(); }

void SqliteConnection::close() noexcept {
  if (is_ours()) sqlite3_close_v2(db_);
  db_ = nullptr;
}

void SqliteConnection::open(const SqliteOptions& options) {
  if (sqlite3_threadsafe() == 0) {
    throw StoreError("This SQLite library was built without threads (SQLITE_THREADSAFE=0): use another one.");
  }
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  const int opened = sqlite3_open_v2(path().c_str(), &db_, flags, options.vfs);
  if (opened != SQLITE_OK) fail(opened, "Opening the database");
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_handler(db_, &SqliteConnection::on_busy, this);
  if (sqlite3_db_readonly(db_, "main") == 1) fail(SQLITE_READONLY, "Opening the database for writing");
}

void SqliteConnection::configure() {
  constexpr std::string_view doing = "Opening the database";
  {
    SqliteStatement mode(*this, "PRAGMA journal_mode", doing);
    const auto use = mode.use();
    is_wal_ = mode.step() && mode.bytes(0) == "wal";
  }
  execute("PRAGMA synchronous=FULL", doing);  // builds differ in what they begin with
  // The application decides when its log is copied back. Fewer connections that do so also keep clear of the bug that
  // `outbox status` warns of.
  execute("PRAGMA wal_autocheckpoint=0", doing);
}

int SqliteConnection::on_busy(void* self, int tries) noexcept {
  auto& connection = *static_cast<SqliteConnection*>(self);
  const auto now = std::chrono::steady_clock::now();
  if (tries == 0) connection.busy_since_ = now;
  if (now - connection.busy_since_ >= connection.busy_limit_) return 0;
  connection.random_ = connection.random_ * 1664525U + 1013904223U;  // jitter needs no better numbers
  std::this_thread::sleep_for(std::chrono::microseconds(busy_pause_us(connection.random_ >> 16U)));
  return 1;
}

bool SqliteConnection::is_at_its_path() const { return identity_of(path()) == identity_; }

// ---------------------------------------------------------------------------------------------------------- statements

SqliteStatement::SqliteStatement(SqliteHandle& connection, const std::string& sql, std::string_view doing)
    : connection_(connection), doing_(doing) {
  check(sqlite3_prepare_v3(connection.get(), sql.c_str(), static_cast<int>(sql.size()) + 1, SQLITE_PREPARE_PERSISTENT,
                           &statement_, nullptr));
}

SqliteStatement::~SqliteStatement() {
  if (connection_.is_ours()) sqlite3_finalize(statement_);
}

void SqliteStatement::check(int code) const {
  if (code != SQLITE_OK) connection_.fail(code, doing_);
}

void SqliteStatement::bind(int parameter, std::int64_t value) {
  check(sqlite3_bind_int64(statement_, parameter, value));
}

void SqliteStatement::bind_text(int parameter, std::string_view value) {
  check(sqlite3_bind_text64(statement_, parameter, value.data() == nullptr ? "" : value.data(), value.size(),
                            SQLITE_STATIC, SQLITE_UTF8));
}

void SqliteStatement::bind_blob(int parameter, std::string_view value) {
  check(sqlite3_bind_blob64(statement_, parameter, value.data() == nullptr ? "" : value.data(), value.size(),
                            SQLITE_STATIC));
}

void SqliteStatement::bind_null(int parameter) { check(sqlite3_bind_null(statement_, parameter)); }

bool SqliteStatement::step() {
  const int stepped = sqlite3_step(statement_);
  if (stepped == SQLITE_ROW) return true;
  if (stepped != SQLITE_DONE) connection_.fail(stepped, doing_);
  return false;
}

void SqliteStatement::run() {
  const Use at_end(*this);
  bool has_row = step();
  while (has_row) has_row = step();
}

void SqliteStatement::reset() noexcept {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

bool SqliteStatement::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

bool SqliteStatement::is_number(int column) const {
  const int type = sqlite3_column_type(statement_, column);
  return type == SQLITE_FLOAT || type == SQLITE_INTEGER;
}

std::int64_t SqliteStatement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

double SqliteStatement::real(int column) const { return sqlite3_column_double(statement_, column); }

std::string_view SqliteStatement::bytes(int column) const {
  // Text of a database in UTF-16 would come as it is stored from column_blob(), a BLOB changed from column_text().
  const int type = sqlite3_column_type(statement_, column);
  if (type == SQLITE_NULL) return {};
  const void* data = type == SQLITE_BLOB ? sqlite3_column_blob(statement_, column)
                                         : static_cast<const void*>(sqlite3_column_text(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr) {
    if (size == 0) return {};
    throw StoreError(doing_ + " failed: there is no memory for a row of '" + connection_.path() + "'.");
  }
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

std::optional<std::string> SqliteStatement::optional_bytes(int column) const {
  if (is_null(column)) return std::nullopt;
  return std::string(bytes(column));
}

// -------------------------------------------------------------------------------------------------------- transactions

SqliteWriting::SqliteWriting(SqliteConnection& connection, std::string_view doing)
    : connection_(connection), doing_(doing) {
  connection_.execute("BEGIN IMMEDIATE", doing);
}

SqliteWriting::~SqliteWriting() {
  // After some errors SQLite has rolled back by itself.
  if (connection_.is_in_transaction()) {
    sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void SqliteWriting::commit() { connection_.execute("COMMIT", doing_); }

SqliteReading::SqliteReading(SqliteConnection& connection, std::string_view doing) : connection_(connection) {
  connection_.execute("BEGIN", doing);
}

SqliteReading::~SqliteReading() {
  if (connection_.is_in_transaction()) {
    sqlite3_exec(connection_.get(), "COMMIT", nullptr, nullptr, nullptr);
  }
}

}  // namespace action_triggers::detail
