// SPDX-License-Identifier: MIT
// PostgreSQL fails over to a streaming replica while five relays send.
#include "outbox/several_relays.hpp"

namespace action_triggers::tests {
namespace {

const std::string servers = ACTION_TRIGGERS_SOURCE_DIR "/scripts/servers";

/// A primary that waits for its replica before it says that something is committed, so that nothing of it is lost.
class FailoverTest : public SeveralRelaysTest {
 protected:
  FailoverTest() {
    run(servers + " stop postgresql-2");  // what a run that was ended may have left
    Servers::start("postgresql-2");
    Sql primary;
    primary("ALTER SYSTEM SET synchronous_standby_names = '*'");
    primary("SELECT pg_reload_conf()");
  }

  /// As it was. Relays and application are not to find the old primary again.
  ~FailoverTest() override {
    stop_all();
    try {
      run(servers + " stop postgresql-2");
      restart_server("postgresql");
      Sql primary;
      primary("ALTER SYSTEM RESET synchronous_standby_names");
      primary("SELECT pg_reload_conf()");
      EXPECT_TRUE(tests::eventually([] { return Sql()("SHOW synchronous_standby_names").empty(); }));
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }

  static std::string replica() { return Servers::variable("AT_POSTGRESQL_2_CONNINFO"); }
  static std::string either() {
    return "postgresql://postgres:right@127.0.0.1:" + Servers::variable("AT_POSTGRESQL_PORT") +
           ",127.0.0.1:" + Servers::variable("AT_POSTGRESQL_2_PORT") + "/postgres?target_session_attrs=read-write";
  }
};

TEST_F(FailoverTest, NothingThatWasCommittedIsLost) {
  ASSERT_TRUE(tests::eventually([] {
    return Sql()("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1";
  })) << "the replica does not stream";
  start_all({.shards = number_of_shards, .conninfo = either()});
  under_load("five relays, PostgreSQL killed, its synchronous replica promoted", [&] {
    crash_server("postgresql");
    EXPECT_EQ(Sql(replica())("SELECT pg_promote(true, 60)"), "t");
    explain(lost_removals());
    move_to(either());  // the truth is where the application writes
    ASSERT_TRUE(arrive(500));
    EXPECT_EQ(ask("SELECT inet_server_port()"), Servers::variable("AT_POSTGRESQL_2_PORT"));
    kill_one();
  });
}

}  // namespace
}  // namespace action_triggers::tests
