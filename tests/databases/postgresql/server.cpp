// SPDX-License-Identifier: MIT
#include "databases/postgresql/server.hpp"

#include <signal.h>
#include <unistd.h>

#include <stdexcept>

#include "databases/postgresql/pg_outbox_admin.hpp"
#include "support/run_command.hpp"

namespace action_triggers::tests {
namespace {

const std::string servers = ACTION_TRIGGERS_SOURCE_DIR "/scripts/servers";
bool started_here = false;

std::string unique_schema() {
  static int calls = 0;
  return "at_" + std::to_string(getpid()) + "_" + std::to_string(++calls);
}

}  // namespace

void PgServer::start() {
  const std::string status = run(servers + " status || true");
  started_here = status.find("postgresql not started") != std::string::npos;
  if (status.find("postgresql ready") == std::string::npos || status.find("pgbouncer ready") == std::string::npos) {
    run(servers + " start postgresql pgbouncer");
  }
  read_servers_environment();
}

void PgServer::stop() {
  if (started_here) run(servers + " stop postgresql pgbouncer");
}

void PgServer::restart(bool crash) {
  if (crash) kill(std::stoi(servers_variable("AT_POSTGRESQL_PID")), SIGKILL);
  run(servers + " restart postgresql");
  read_servers_environment();
}

std::string PgServer::conninfo() { return servers_variable("AT_POSTGRESQL_CONNINFO"); }
std::string PgServer::bouncer_conninfo() { return servers_variable("AT_PGBOUNCER_CONNINFO"); }

Sql::Sql(const std::string& conninfo) : connection_(PQconnectdb(conninfo.c_str()), PQfinish) {
  if (PQstatus(get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(get()));
  PQsetNoticeProcessor(
      get(), [](void*, const char*) {}, nullptr);
}

std::vector<std::string> Sql::rows(const std::string& statement) {
  const std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQexec(get(), statement.c_str()), PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
    throw std::runtime_error(statement + ": " + PQresultErrorMessage(result.get()));
  }
  std::vector<std::string> rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    std::string& line = rows.emplace_back();
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      if (column > 0) line += '|';
      line += PQgetvalue(result.get(), row, column);
    }
  }
  return rows;
}

std::string Sql::operator()(const std::string& statement) {
  const std::vector<std::string> all = rows(statement);
  return all.empty() ? "" : all.front();
}

PgOutboxTest::PgOutboxTest() {
  config.conninfo = Secret(PgServer::conninfo());
  config.schema = unique_schema();
}

PgOutboxTest::~PgOutboxTest() {
  try {
    Sql()("DROP SCHEMA IF EXISTS " + config.schema + " CASCADE");
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
}

void PgOutboxTest::install(std::int32_t shards) {
  config.shards = shards;
  detail::PgOutboxAdmin(config).install();
}

detail::RowTime PgOutboxTest::created_at(std::int64_t id) {
  const std::string since_1970 = sql("SELECT (extract(epoch FROM created_at) * 1000000)::bigint FROM " + outbox() +
                                     " WHERE id = " + std::to_string(id));
  if (since_1970.empty()) return detail::no_time;
  return detail::RowTime(std::chrono::microseconds(std::stoll(since_1970)));
}

void PgOutboxTest::insert(Sql& session, const std::vector<std::string>& bodies, const std::string& target) {
  for (const std::string& body : bodies) {
    session("INSERT INTO " + outbox() + " (target, body) VALUES ('" + target + "', '" + body + "')");
  }
}

}  // namespace action_triggers::tests
