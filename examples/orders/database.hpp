// SPDX-License-Identifier: MIT
/// What the shop needs of its database, SQLite or PostgreSQL. An application that uses one of them would call it
/// directly, or through an ORM: nothing here is about messages but open_outbox().
#pragma once

#include <action_triggers/outbox.hpp>
#include <action_triggers/trigger_dispatcher.hpp>
#include <memory>
#include <string>
#include <vector>

namespace shop {

class Database {
 public:
  using Values = std::vector<std::string>;

  Database() = default;
  virtual ~Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  [[nodiscard]] virtual std::string name() const = 0;

  /// Runs one statement, with `values` for its $1, $2 and so on; returns its rows. Throws std::runtime_error.
  virtual std::vector<Values> execute(const std::string& sql, const Values& values = {}) = 0;

  /// Starts a relay, which sends what is committed in this database until it is destroyed.
  virtual std::unique_ptr<action_triggers::Outbox> open_outbox(action_triggers::TriggerDispatcher& dispatcher) = 0;
};

/// `where`: a file's path (SQLite), or "postgresql://…". Throws std::runtime_error.
std::unique_ptr<Database> open_database(const std::string& where);
std::unique_ptr<Database> open_sqlite(const std::string& path);
std::unique_ptr<Database> open_postgresql(const std::string& uri);

}  // namespace shop
