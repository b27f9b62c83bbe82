// SPDX-License-Identifier: MIT
/// A transaction of the application's connection, as SqliteTransaction and SqliteScope have it.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "action_triggers/sqlite.hpp"
#include "databases/sqlite/sqlite_connection.hpp"

namespace action_triggers::detail {

/// Throws SqliteBusy where SQLite says that the same may be tried again.
template <class Call>
void unless_busy(Call&& call);

/// Begun, or taken over, when it is made; rolled back at its end, if nothing else was done with it.
class ApplicationTransaction {
 public:
  /// Throws SqliteBusy, StoreError, and std::logic_error if there is one on the connection already.
  explicit ApplicationTransaction(sqlite3* db);
  ~ApplicationTransaction();
  ApplicationTransaction(const ApplicationTransaction&) = delete;
  ApplicationTransaction& operator=(const ApplicationTransaction&) = delete;

  [[nodiscard]] SqliteHandle& handle() noexcept { return handle_; }
  [[nodiscard]] bool is_open() const noexcept { return is_open_; }
  /// Throws if it has ended: std::logic_error by a call of ours, std::runtime_error by other means.
  void require_open() const;

  /// The next one, after the end of the last. Throws as the constructor, and std::logic_error if it has not ended.
  void begin();
  /// Statements stay on the connection at the end: begin() was called, and will be again. Of others none is left, or
  /// the application could not close its connection.
  [[nodiscard]] bool keeps_statements() const noexcept { return keeps_statements_; }

  // Each wants it to be open.
  void commit();
  void leave() noexcept { end(); }  // to whoever commits it
  std::uint64_t savepoint();
  void rollback_to(std::uint64_t savepoint);
  void release(std::uint64_t savepoint);

  /// Also where it has ended.
  void rollback() noexcept;

 private:
  void begin_or_take_over();
  void end() noexcept;

  SqliteHandle handle_;
  // Used again by begin() and the next commit().
  std::optional<SqliteStatement> begin_;
  std::optional<SqliteStatement> commit_;
  bool is_open_ = false;
  bool keeps_statements_ = false;
  std::uint64_t savepoints_ = 0;  // made so far
};

template <class Call>
void unless_busy(Call&& call) {
  try {
    call();
  } catch (const SqliteError& error) {
    if (!error.may_be_repeated()) throw;
    throw SqliteBusy(std::string(error.what()) + " Nothing was undone: call it again, or roll back.");
  }
}

}  // namespace action_triggers::detail
