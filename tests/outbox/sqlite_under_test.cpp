// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_database.hpp"
#include "outbox/database_under_test.hpp"

namespace action_triggers::tests {
namespace {

class SqliteUnderTest final : public DatabaseUnderTest {
 public:
  explicit SqliteUnderTest(const std::string& journal_mode) {
    const SqliteSession session(path());
    session.execute("PRAGMA journal_mode=" + journal_mode);
  }

  [[nodiscard]] std::string type() const override { return "sqlite"; }
  [[nodiscard]] std::string place() const override { return path(); }
  [[nodiscard]] std::string outbox_section() const override {
    return R"("type": "sqlite", "path": ")" + path() + R"(")";
  }
  [[nodiscard]] std::string numbered() const override { return "INTEGER PRIMARY KEY AUTOINCREMENT"; }
  [[nodiscard]] std::string text_of(const std::string& column) const override { return "CAST(" + column + " AS TEXT)"; }

  /// Opens it anew each time: between two calls nobody keeps it open but the programs that the test is about.
  std::vector<std::string> rows(const std::string& sql) override { return SqliteSession(path()).lines(sql); }
  void settle() override {}

 private:
  [[nodiscard]] std::string path() const { return folder_.file("shop.db"); }

  const TemporaryFolder folder_;
};

}  // namespace

std::unique_ptr<DatabaseUnderTest> make_database(const std::string& variant) {
  return std::make_unique<SqliteUnderTest>(variant);
}

std::vector<std::string> variants() { return {"wal", "delete"}; }

std::string title_of(const std::string& variant) {
  return variant == "wal" ? "SQLite, write-ahead log" : "SQLite, rollback journal";
}

}  // namespace action_triggers::tests
