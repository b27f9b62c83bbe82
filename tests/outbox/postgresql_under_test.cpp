// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <stdexcept>

#include "databases/postgresql/server.hpp"
#include "outbox/database_under_test.hpp"

namespace action_triggers::tests {
namespace {

/// A schema of its own. Sessions of the programs under test have its name, too.
class PostgresqlUnderTest final : public DatabaseUnderTest {
 public:
  PostgresqlUnderTest() : schema_(unique_name()) { admin_("CREATE SCHEMA " + schema_); }
  ~PostgresqlUnderTest() override {
    try {
      settle();
      admin_("DROP SCHEMA " + schema_ + " CASCADE");
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }

  [[nodiscard]] std::string type() const override { return "postgresql"; }
  [[nodiscard]] std::string place() const override {
    return PgServer::conninfo() + "?application_name=" + schema_ + "&options=-csearch_path%3D" + schema_ +
           "%20-csynchronous_commit%3Doff";  // what the server has outlives its clients
  }
  [[nodiscard]] std::string outbox_section() const override {
    return R"("type": "postgresql", "conninfo": ")" + place() + R"(", "schema": ")" + schema_ + R"(")";
  }
  [[nodiscard]] std::string numbered() const override { return "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"; }
  [[nodiscard]] std::string text_of(const std::string& column) const override {
    return "convert_from(" + column + ", 'UTF8')";
  }

  std::vector<std::string> rows(const std::string& sql) override {
    admin_("SET search_path = " + schema_);
    return admin_.rows(sql);
  }

  void settle() override {
    const bool are_gone = eventually([this] {
      return admin_("SELECT count(*) FROM pg_stat_activity WHERE application_name = '" + schema_ + "'") == "0";
    });
    if (!are_gone) throw std::runtime_error("sessions of processes that were killed go on for a minute");
  }

 private:
  static std::string unique_name() {
    static int calls = 0;
    return "at_fault_" + std::to_string(::getpid()) + "_" + std::to_string(++calls);
  }

  const std::string schema_;
  Sql admin_;
};

}  // namespace

std::unique_ptr<DatabaseUnderTest> make_database(const std::string& /*variant*/) {
  return std::make_unique<PostgresqlUnderTest>();
}

std::vector<std::string> variants() { return {"postgresql"}; }

std::string title_of(const std::string& /*variant*/) { return "PostgreSQL"; }

}  // namespace action_triggers::tests
