// SPDX-License-Identifier: MIT
// Five relays on one outbox: killed, paused for longer than their leases, with clocks that are hours wrong, behind
// PgBouncer, and with a database that goes away.
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "outbox/several_relays.hpp"

namespace action_triggers::tests {
namespace {

constexpr auto fault_length = 8s;

std::string asked_for(const char* variable, const std::string& otherwise) {
  const char* const value = std::getenv(variable);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

TEST_F(SeveralRelaysTest, KilledAtRandom) {
  start_all({.shards = number_of_shards});
  int kills = 0;
  under_load("five relays, killed and started again at random", [&] {
    for (const auto end = Clock::now() + fault_length; Clock::now() < end && !HasFatalFailure(); ++kills) kill_one();
  });
  EXPECT_GT(kills, 2);
}

TEST_F(SeveralRelaysTest, PausedForLongerThanTheLease) {
  start_all({.shards = number_of_shards});
  under_load("five relays, one after the other paused for longer than its lease", [&] {
    for (int i = 0; i < 3 && !HasFatalFailure(); ++i) pause_one();
  });
}

TEST_F(SeveralRelaysTest, ClocksThatAreHoursWrong) {
  std::vector<std::vector<std::string>> environments;
  for (const char* wrong : {"-5h", "+3h", "+0", "+26h", "-40d"}) {
    environments.push_back({R"(LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1)", std::string("FAKETIME=") + wrong,
                            "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_DISABLE_SHM=1"});
  }
  start_all({.shards = number_of_shards}, environments);
  under_load("five relays with clocks that are hours wrong, killed at random", [&] {
    for (const auto& one : relays_) {
      std::ifstream maps("/proc/" + std::to_string(one->pid()) + "/maps");
      const std::string libraries{std::istreambuf_iterator<char>(maps), std::istreambuf_iterator<char>()};
      ASSERT_NE(libraries.find("libfaketime"), std::string::npos) << "scripts/setup test installs faketime";
    }
    for (const auto end = Clock::now() + fault_length; Clock::now() < end && !HasFatalFailure();) kill_one();
  });
}

TEST_F(SeveralRelaysTest, BehindPgBouncer) {
  start_all({.shards = number_of_shards, .conninfo = PgServer::bouncer_conninfo()});
  under_load("five relays behind PgBouncer (transaction mode), killed and paused", [&] {
    kill_one();
    if (!HasFatalFailure()) pause_one();
    if (!HasFatalFailure()) kill_one();
  });
}

TEST_F(SeveralRelaysTest, DatabaseRestartedAndKilled) {
  start_all({.shards = number_of_shards});
  under_load("five relays, PostgreSQL restarted and killed in turns", [&] {
    for (int i = 0; i < 2; ++i) {
      PgServer::restart(i % 2 == 1);
      explain(lost_removals());
      ASSERT_TRUE(arrive(200));
    }
  });
}

// What goes wrong is drawn: for 15 seconds, or as long as ACTION_TRIGGERS_OUTBOX_SECONDS says, from
// ACTION_TRIGGERS_OUTBOX_SEED on.
TEST_F(SeveralRelaysTest, RandomFaults) {
  const std::chrono::seconds length(std::stoi(asked_for("ACTION_TRIGGERS_OUTBOX_SECONDS", "15")));
  const auto seed = static_cast<std::uint32_t>(std::stoul(asked_for("ACTION_TRIGGERS_OUTBOX_SEED", "20261126")));
  start_all({.shards = number_of_shards, .seed = seed});
  int faults = 0;
  under_load("five relays, random faults of relays, PostgreSQL and RabbitMQ", [&] {
    for (const auto end = Clock::now() + length; Clock::now() < end && !HasFatalFailure(); ++faults) {
      const auto kind = random_() % 10;
      if (kind < 4) {
        kill_one();
      } else if (kind < 7) {
        pause_one();
      } else if (kind < 9) {
        PgServer::restart(kind == 8);
        explain(lost_removals());
        ASSERT_TRUE(arrive(100));
      } else {
        take_away("rabbitmq", 100);
        ASSERT_TRUE(arrive(100));
      }
    }
  });
  std::cout << faults << " random faults\n";
  EXPECT_GT(faults, 1);
}

}  // namespace
}  // namespace action_triggers::tests
