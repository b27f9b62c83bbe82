// SPDX-License-Identifier: MIT
/// libpq as a careful application uses it: statements that are prepared once.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace action_triggers::bench {

using PgAnswer = std::unique_ptr<PGresult, void (*)(PGresult*)>;

class PgConnection {
 public:
  explicit PgConnection(const std::string& conninfo) : connection_(PQconnectdb(conninfo.c_str()), PQfinish) {
    if (PQstatus(get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(get()));
    PQsetNoticeProcessor(
        get(), [](void*, const char*) {}, nullptr);
  }

  [[nodiscard]] PGconn* get() const noexcept { return connection_.get(); }

  PgAnswer run(const std::string& statement) { return checked(PQexec(get(), statement.c_str())); }
  void prepare(const char* name, const std::string& statement) {
    checked(PQprepare(get(), name, statement.c_str(), 0, nullptr));
  }
  /// Parameters and results are texts and bytes as they are: the binary format.
  PgAnswer execute(const char* name, const std::vector<std::string_view>& parameters) {
    std::vector<const char*> values;
    std::vector<int> lengths;
    for (const std::string_view parameter : parameters) {
      values.push_back(parameter.data());
      lengths.push_back(static_cast<int>(parameter.size()));
    }
    const std::vector<int> formats(parameters.size(), 1);
    return checked(
        PQexecPrepared(get(), name, static_cast<int>(values.size()), values.data(), lengths.data(), formats.data(), 1));
  }

 private:
  PgAnswer checked(PGresult* result) const {
    PgAnswer answer(result, PQclear);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) throw std::runtime_error(PQerrorMessage(get()));
    return answer;
  }

  std::unique_ptr<PGconn, void (*)(PGconn*)> connection_;
};

}  // namespace action_triggers::bench
