// SPDX-License-Identifier: MIT
#include <libpq-fe.h>

#include <action_triggers/postgresql.hpp>
#include <stdexcept>

#include "database.hpp"

namespace at = action_triggers;

namespace shop {
namespace {

struct Close {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
};

class PostgresqlDatabase : public Database {
 public:
  explicit PostgresqlDatabase(const std::string& uri) : connection_(PQconnectdb(uri.c_str())) {
    if (PQstatus(connection_.get()) != CONNECTION_OK) fail();
  }

  [[nodiscard]] std::string name() const override { return "PostgreSQL"; }

  std::vector<Values> execute(const std::string& sql, const Values& values) override {
    std::vector<const char*> parameters;
    for (const std::string& value : values) parameters.push_back(value.c_str());
    const std::unique_ptr<PGresult, Close> result(PQexecParams(connection_.get(), sql.c_str(),
                                                               static_cast<int>(parameters.size()), nullptr,
                                                               parameters.data(), nullptr, nullptr, 0));
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) fail();
    std::vector<Values> rows(static_cast<std::size_t>(PQntuples(result.get())));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      for (int i = 0; i < PQnfields(result.get()); ++i) {
        rows[row].emplace_back(PQgetvalue(result.get(), static_cast<int>(row), i));
      }
    }
    return rows;
  }

  std::unique_ptr<at::Outbox> open_outbox(at::TriggerDispatcher& dispatcher) override {
    return std::make_unique<at::PgOutbox>(dispatcher);  // the configuration names the server
  }

 private:
  [[noreturn]] void fail() const {
    const std::string text = PQerrorMessage(connection_.get());
    throw std::runtime_error(text.substr(0, text.find('\n')));
  }

  std::unique_ptr<PGconn, Close> connection_;
};

}  // namespace

std::unique_ptr<Database> open_postgresql(const std::string& uri) { return std::make_unique<PostgresqlDatabase>(uri); }

}  // namespace shop
