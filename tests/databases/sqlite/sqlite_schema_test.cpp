// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_schema.hpp"

#include <gmock/gmock.h>

#include "base/sql_quotes.hpp"
#include "sqlite_database.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SqliteSchemaTest : public ::testing::Test {
 protected:
  std::vector<std::string> problems() {
    SqliteConnection connection(database_.config.path, {});
    return sqlite_problems(connection, database_.config);
  }
  void execute(const std::string& sql) { database_.application.execute(sql); }
  /// The schema with `from` replaced.
  void install_with(const std::string& from, const std::string& to) {
    execute("DROP TABLE action_triggers_outbox");
    std::string sql = sqlite_schema(database_.config);
    const std::size_t at = sql.find(from);
    ASSERT_NE(at, std::string::npos);
    execute(sql.replace(at, from.size(), to));
  }

  tests::SqliteDatabase database_;
};

TEST_F(SqliteSchemaTest, IsRight) { EXPECT_THAT(problems(), IsEmpty()); }

TEST_F(SqliteSchemaTest, MayBeInstalledAgain) {
  const std::string id = database_.application.text("SELECT outbox_id FROM action_triggers_shards");
  database_.application.insert("orders", "body");
  execute(sqlite_schema(database_.config));
  EXPECT_EQ(database_.application.text("SELECT outbox_id FROM action_triggers_shards"), id);
  EXPECT_EQ(database_.application.number("SELECT count(*) FROM action_triggers_outbox"), 1);
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(SqliteSchemaTest, FitsIntoTheApplicationsTransaction) {
  OutboxConfig config = database_.config;
  config.table = "order";  // a word of SQL's
  config.shards_table = "Shards";
  config.dead_letters_table = "dead";
  execute("BEGIN");
  execute(sqlite_schema(config));
  execute("COMMIT");
  SqliteConnection connection(config.path, {});
  EXPECT_THAT(sqlite_problems(connection, config), IsEmpty());
  config.table = "ORDER";  // SQLite's names have no case
  EXPECT_THAT(sqlite_problems(connection, config), IsEmpty());
}

TEST_F(SqliteSchemaTest, QuotesNames) {
  EXPECT_EQ(sql_name("a\"b"), "\"a\"\"b\"");
  OutboxConfig config = database_.config;
  config.table = "x\"; DROP TABLE action_triggers_shards; --";
  execute(sqlite_schema(config));
  SqliteConnection connection(config.path, {});
  EXPECT_THAT(sqlite_problems(connection, config), IsEmpty());
}

TEST_F(SqliteSchemaTest, InsertsWhatTheParametersSay) {
  const std::string sql = sqlite_insert(database_.config);
  sqlite3_stmt* statement = nullptr;
  ASSERT_EQ(sqlite3_prepare_v2(database_.application.get(), sql.c_str(), -1, &statement, nullptr), SQLITE_OK);
  EXPECT_EQ(sqlite3_bind_parameter_count(statement), 7);
  for (int parameter = 1; parameter <= 7; ++parameter) sqlite3_bind_int(statement, parameter, parameter);
  EXPECT_EQ(sqlite3_step(statement), SQLITE_DONE);
  sqlite3_finalize(statement);
  EXPECT_EQ(database_.application.text("SELECT target || body || key || message_id || content_type || headers || "
                                       "properties || shard || done FROM action_triggers_outbox"),
            "123456700");
}

TEST_F(SqliteSchemaTest, SaysWhichTableIsMissing) {
  execute("DROP TABLE action_triggers_outbox");
  execute("DROP TABLE action_triggers_dead_letters");
  EXPECT_THAT(problems(), ElementsAre("There is no table 'action_triggers_outbox'.",
                                      "There is no table 'action_triggers_dead_letters'."));
}

TEST_F(SqliteSchemaTest, SaysWhichColumnIsMissing) {
  execute("ALTER TABLE action_triggers_outbox DROP COLUMN properties");
  EXPECT_THAT(problems(), ElementsAre("The table 'action_triggers_outbox' has no column 'properties'."));
}

TEST_F(SqliteSchemaTest, MindsNoFurtherColumns) {
  execute("ALTER TABLE action_triggers_outbox ADD COLUMN note");
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(SqliteSchemaTest, WantsIdsThatNeverComeBack) {
  install_with("PRIMARY KEY AUTOINCREMENT", "PRIMARY KEY");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("is not AUTOINCREMENT")));
}

TEST_F(SqliteSchemaTest, WantsNoConstraints) {
  for (const std::string constraint :
       {"target TEXT NOT NULL", "target TEXT UNIQUE", "target TEXT CHECK (target <> '')"}) {
    install_with("target TEXT", constraint);
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("has a constraint"))) << constraint;
  }
  install_with("target TEXT", "target TEXT");
  execute("CREATE UNIQUE INDEX only_once ON action_triggers_outbox (message_id)");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("has a constraint")));
}

TEST_F(SqliteSchemaTest, SaysWhatToDoAboutOtherVersions) {
  execute("UPDATE action_triggers_shards SET version = 2");
  EXPECT_THAT(problems(),
              ElementsAre("The tables are of version 2, this library knows version 1: update the library."));
  execute("UPDATE action_triggers_shards SET version = 0");
  EXPECT_THAT(problems(), ElementsAre(AllOf(HasSubstr("The tables are of version 0, this library knows version 1: "),
                                            HasSubstr("relay --once FILE"), HasSubstr("drop them"))));
  execute("UPDATE action_triggers_shards SET version = 1, outbox_id = ''");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("no outbox_id")));
  execute("DELETE FROM action_triggers_shards");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("no row for shard 0")));
}

}  // namespace
}  // namespace action_triggers::detail
