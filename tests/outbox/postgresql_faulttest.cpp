// SPDX-License-Identifier: MIT
// What goes wrong with PostgreSQL while one relay sends.
#include <poll.h>
#include <unistd.h>

#include <fstream>

#include "outbox/outbox_fault.hpp"

namespace action_triggers::tests {
namespace {

class PostgreSqlFaultTest : public OutboxFaultTest {
 protected:
  void start_one(const Setting& setting = {}) {
    set_up(setting);
    add_relay();
  }
  bool refuses_transactions() {
    return eventually([this, goal = application().failures() + 20] { return application().failures() >= goal; });
  }
  bool relay_says(const std::string& text) {
    return eventually([&] { return relay().printed().find(text) != std::string::npos; });
  }
};

TEST_F(PostgreSqlFaultTest, KilledAndRestarted) {
  start_one({.has_kafka = true});
  under_load("killed and restarted", [&] {
    for (int i = 0; i < 2; ++i) {
      PgServer::restart(true);
      explain(lost_removals());
      ASSERT_TRUE(arrive(200));
    }
  });
}

/// A tablespace on a file system in memory that the test can fill.
class SmallDisk {
 public:
  SmallDisk() {
    if (::geteuid() != 0)
      throw std::runtime_error("a full disk needs root, who may mount a small one: run it with sudo");
    run("mkdir -p " + folder_ + " && mount -t tmpfs -o size=16m,mode=700,uid=postgres tmpfs " + folder_);
  }
  ~SmallDisk() {
    try {
      Sql()("DROP TABLESPACE IF EXISTS " + name());
      run("umount " + folder_ + " && rmdir " + folder_);
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  void make_tablespace() const { Sql()("CREATE TABLESPACE " + name() + " LOCATION '" + folder_ + "'"); }
  void fill() const { run("cat /dev/zero >" + folder_ + "/filling || true"); }
  void make_room() const { run("rm " + folder_ + "/filling"); }
  [[nodiscard]] std::string name() const { return "small_" + std::to_string(::getpid()); }

 private:
  const std::string folder_ = "/tmp/outbox-small-disk-" + std::to_string(::getpid());
};

class FullDiskTest : public PostgreSqlFaultTest {
 protected:
  ~FullDiskTest() override {
    stop_all();
    Sql()("DROP SCHEMA IF EXISTS " + schema_ + " CASCADE");  // before its tablespace
  }
  SmallDisk disk_;
};

TEST_F(FullDiskTest, TransactionsFailAndNothingIsLost) {
  start_one();
  disk_.make_tablespace();
  for (const std::string& table : {outbox(), schema_ + "." + Application::orders}) {
    ask("ALTER TABLE " + table + " SET TABLESPACE " + disk_.name());
  }
  under_load("disk full (tablespace of outbox and orders)", [&] {
    disk_.fill();
    ASSERT_TRUE(refuses_transactions());
    disk_.make_room();
  });
}

TEST_F(PostgreSqlFaultTest, ReadOnly) {
  start_one();
  under_load("read-only", [&] {
    const auto set = [](const std::string& statement) {
      Sql sql;
      sql("SET default_transaction_read_only = off");
      sql(statement);
      sql("SELECT pg_reload_conf()");
    };
    set("ALTER SYSTEM SET default_transaction_read_only = on");
    const bool is_refused = refuses_transactions() && relay_says("read-only");
    set("ALTER SYSTEM RESET default_transaction_read_only");
    explain(window(1));
    ASSERT_TRUE(is_refused) << relay().printed();
  });
}

TEST_F(PostgreSqlFaultTest, LockedForLongerThanTheLease) {
  start_one();
  under_load("outbox and leases locked for longer than the lease", [&] {
    Sql administrator;
    administrator("BEGIN; LOCK TABLE " + outbox() + ", " + shards() + " IN ACCESS EXCLUSIVE MODE");
    const bool is_late = relay_says("took too long");
    administrator("ROLLBACK");
    explain(window(1));
    ASSERT_TRUE(is_late) << relay().printed();
  });
}

TEST_F(PostgreSqlFaultTest, IdleTransactionsAreEnded) {
  start_one();
  under_load("idle_in_transaction_session_timeout ends 20 transactions", [&] {
    for (int i = 0; i < 20; ++i) {
      Sql idle;
      idle("SET idle_in_transaction_session_timeout = 50");
      idle(application().open_transaction());
      pollfd entry{.fd = PQsocket(idle.get()), .events = POLLIN, .revents = 0};
      ASSERT_EQ(::poll(&entry, 1, 60'000), 1);
      PQconsumeInput(idle.get());
      ASSERT_THROW(idle("COMMIT"), std::runtime_error);
    }
  });
}

TEST_F(PostgreSqlFaultTest, DumpedAndRestoredInTheMiddle) {
  start_one();
  const std::string restored = "restored_" + std::to_string(::getpid());
  std::string elsewhere = PgServer::conninfo();
  elsewhere.replace(elsewhere.rfind('/') + 1, std::string::npos, restored);
  under_load("dumped, and restored in another database, with rows on their way", [&] {
    relay().kill_it();
    explain(window(1));
    ASSERT_TRUE(commit(200));
    application().stop();
    ASSERT_GT(*rows(), 100U);
    Sql()("CREATE DATABASE " + restored);
    const std::string tools = "bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1); ";
    run("bash -c 'set -o pipefail; " + tools + "\"$bin\"/pg_dump -Fc -n " + schema_ + " " + PgServer::conninfo() +
        " | \"$bin\"/pg_restore -d " + elsewhere + "'");
    move_to(elsewhere);
    Sql()("DROP SCHEMA " + schema_ + " CASCADE");
    relay().start();
    application().start();
  });
  stop_all();
  Sql()("DROP DATABASE IF EXISTS " + restored + " WITH (FORCE)");
}

}  // namespace
}  // namespace action_triggers::tests
