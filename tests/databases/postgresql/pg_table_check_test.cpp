// SPDX-License-Identifier: MIT
#include "databases/postgresql/pg_table_check.hpp"

#include <gmock/gmock.h>

#include "databases/postgresql/pg_outbox_admin.hpp"
#include "databases/postgresql/pg_outbox_store.hpp"
#include "databases/postgresql/server.hpp"

namespace action_triggers::tests {
namespace {

using detail::PgOutboxAdmin;
using detail::PgOutboxStore;
using detail::StoreError;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

class PgTableCheckTest : public PgOutboxTest {
 protected:
  std::vector<std::string> problems() { return PgOutboxAdmin(config).verify(); }
  std::string quoted(const std::string& table) const { return "\"" + config.schema + "\".\"" + table + "\""; }

  /// Runs what the only problem says after `before`, and there must be none then.
  void mend(const std::string& before) {
    const std::vector<std::string> lines = problems();
    ASSERT_THAT(lines, SizeIs(1));
    const std::size_t at = lines[0].find(before);
    ASSERT_NE(at, std::string::npos) << lines[0];
    sql(lines[0].substr(at));
    EXPECT_THAT(problems(), IsEmpty());
  }
};

TEST_F(PgTableCheckTest, NothingInstalled) {
  EXPECT_THAT(problems(), AllOf(SizeIs(3), Each(HasSubstr("action-triggers outbox install FILE"))));
  EXPECT_THAT([this] { PgOutboxStore(config).reopen(); },
              ThrowsMessage<StoreError>(AllOf(HasSubstr("cannot be used"),
                                              HasSubstr("there is no table " + quoted(config.table)),
                                              HasSubstr("action-triggers outbox install FILE"))));
}

TEST_F(PgTableCheckTest, WhatIsInstalledIsRight) {
  install();
  EXPECT_THAT(problems(), IsEmpty());
  config.schema += "_4";
  install(4);
  EXPECT_THAT(problems(), IsEmpty());
  sql("ALTER TABLE " + outbox() + " ENABLE TRIGGER action_triggers_shard");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("no trigger action_triggers_shard, enabled always")));
  sql("DROP TRIGGER action_triggers_shard ON " + outbox());
  install(4);
  EXPECT_THAT(problems(), IsEmpty());
  sql("DROP SCHEMA " + config.schema + " CASCADE");
}

TEST_F(PgTableCheckTest, AMissingTable) {
  install();
  sql("DROP TABLE " + dead_letters());
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("there is no table " + quoted(config.dead_letters_table))));
  PgOutboxAdmin(config).install();
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(PgTableCheckTest, ColumnsThatAreMissingOrDifferentSayWhatMendsThem) {
  install();
  sql("ALTER TABLE " + outbox() + " DROP COLUMN done");
  mend("ALTER TABLE");
  sql("ALTER TABLE " + outbox() + " ALTER COLUMN headers TYPE text");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("headers is text, not json")));
  mend("ALTER TABLE");
  sql("ALTER TABLE " + outbox() + " ALTER COLUMN id DROP IDENTITY");
  mend("ALTER TABLE");
  sql("ALTER TABLE " + outbox() + " DROP CONSTRAINT action_triggers_outbox_pkey");
  mend("ALTER TABLE");
  sql("ALTER TABLE " + outbox() + " SET UNLOGGED");
  mend("ALTER TABLE");
  sql("ALTER TABLE " + shards() + " DROP COLUMN place");
  mend("ALTER TABLE");
}

TEST_F(PgTableCheckTest, AVersionThatIsNotOurs) {
  install();
  sql("UPDATE " + shards() + " SET version = 99");
  EXPECT_THAT(problems(), ElementsAre(AllOf(HasSubstr("version 99"), HasSubstr("or a later one"))));
  EXPECT_THAT([this] { PgOutboxStore(config).reopen(); }, ThrowsMessage<StoreError>(HasSubstr("version 99")));
  sql("UPDATE " + shards() + " SET version = 0");
  EXPECT_THAT(problems(), ElementsAre(AllOf(HasSubstr("version 0"), HasSubstr("relay --once FILE"))));
}

TEST_F(PgTableCheckTest, AnotherNumberOfShardsThanTheTables) {
  install(2);
  config.shards = 3;
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("outbox.shards is 3")));
  config.shards = 1;
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("has 2: set outbox.shards to that")));
}

TEST_F(PgTableCheckTest, AnEmptyTableOfShards) {
  install();
  sql("DELETE FROM " + shards());
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("is empty: run action-triggers outbox install FILE")));
  PgOutboxAdmin(config).install();
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(PgTableCheckTest, AColumnThatMayBeNull) {
  install();
  sql("ALTER TABLE " + outbox() + " ALTER COLUMN body DROP NOT NULL");
  const std::vector<std::string> lines = problems();
  ASSERT_THAT(lines, ElementsAre(HasSubstr("outbox\".body may be NULL")));
  sql(lines[0].substr(lines[0].find("ALTER TABLE")));
  EXPECT_THAT(problems(), IsEmpty());
}

/// Each session would have ids of its own, and a row one that is less than those of rows from before it.
TEST_F(PgTableCheckTest, IdsThatAreNotInOrder) {
  install();
  for (const char* change : {"CACHE 50", "INCREMENT BY -1", "CYCLE"}) {
    sql("ALTER TABLE " + outbox() + " ALTER COLUMN id SET " + change +
        (change == std::string("INCREMENT BY -1") ? " SET MINVALUE -9 SET MAXVALUE 9" : ""));
    const std::vector<std::string> lines = problems();
    ASSERT_THAT(lines, ElementsAre(HasSubstr("not given in order"))) << change;
    sql(lines[0].substr(lines[0].find("ALTER TABLE")));
    EXPECT_THAT(problems(), IsEmpty()) << change;
  }
}

/// A relay would find nothing to send, and say nothing.
TEST_F(PgTableCheckTest, RowsThatNoPolicyShows) {
  install();
  const std::string role = "app_" + config.schema;
  const std::string owner = config.conninfo.reveal();
  sql("CREATE ROLE " + role + " LOGIN PASSWORD 'x'");
  sql("GRANT USAGE ON SCHEMA " + config.schema + " TO " + role);
  sql("GRANT ALL ON ALL TABLES IN SCHEMA " + config.schema + " TO " + role);
  config.conninfo = Secret(owner + "?user=" + role + "&password=x");
  sql("ALTER TABLE " + outbox() + " ENABLE ROW LEVEL SECURITY");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("DISABLE ROW LEVEL SECURITY")));
  sql("CREATE POLICY inserts ON " + outbox() + " FOR INSERT WITH CHECK (true)");
  EXPECT_THAT(problems(), SizeIs(1));
  config.relay = false;
  EXPECT_THAT(problems(), IsEmpty());
  config.relay = true;
  sql("CREATE POLICY all_for_relay ON " + outbox() + " TO " + role + " USING (true)");
  EXPECT_THAT(problems(), IsEmpty());
  config.conninfo = Secret(owner);
  sql("DROP OWNED BY " + role);
  sql("DROP ROLE " + role);
}

TEST_F(PgTableCheckTest, RightsThatAreMissing) {
  install();
  const std::string role = "app_" + config.schema;
  const std::string owner = config.conninfo.reveal();
  sql("CREATE ROLE " + role + " LOGIN PASSWORD 'x'");
  sql("GRANT USAGE ON SCHEMA " + config.schema + " TO " + role);
  sql("GRANT SELECT, INSERT ON " + outbox() + " TO " + role);
  config.conninfo = Secret(owner + "?user=" + role + "&password=x");
  std::vector<std::string> lines = problems();
  ASSERT_THAT(lines, SizeIs(3));
  for (const std::string& line : lines) {
    const std::size_t grant = line.find("GRANT ");
    ASSERT_NE(grant, std::string::npos) << line;
    sql(line.substr(grant));
  }
  EXPECT_THAT(problems(), IsEmpty());

  // Who only writes needs less.
  sql("REVOKE ALL ON " + outbox() + ", " + dead_letters() + ", " + shards() + " FROM " + role);
  sql("GRANT INSERT ON " + outbox() + " TO " + role);
  sql("GRANT SELECT ON " + shards() + " TO " + role);
  config.relay = false;
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_NO_THROW(PgOutboxStore(config).reopen());
  config.conninfo = Secret(owner);
  sql("DROP OWNED BY " + role);
  sql("DROP ROLE " + role);
}

}  // namespace
}  // namespace action_triggers::tests
