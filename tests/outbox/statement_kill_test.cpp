// SPDX-License-Identifier: MIT
// kill -9 right before and right after every statement, and again in recovery: of applications, of relays, of both in
// one process. Compiled into a program a database.
#include <gmock/gmock.h>

#include <random>

#include "outbox/outbox_world.hpp"

namespace action_triggers::tests {
namespace {

using ::testing::IsEmpty;

class StatementKillTest : public ::testing::TestWithParam<std::string> {
 protected:
  using Role = std::vector<std::string>;

  /// A death leaves at most so many messages that were sent and are sent again, at each destination: those that it had
  /// in its hands.
  static constexpr std::size_t window = 2 * OutboxWorld::batch * 2;

  /// Before and after each statement, or only before it, where another variant has both.
  static std::uint64_t stride() { return GetParam() == variants().front() ? 1 : 2; }

  /// For each moment of `role`, until one comes after its end: a run of `before`, a death at it, a death in recovery,
  /// and a whole run; then the ledger is asked.
  void kill_at_every_moment(const std::string& fault, const Role& role, const Role& recovery, const Role& before) {
    int status = killed;
    std::uint64_t moment = 1;
    for (; status == killed && !HasFailure(); moment += stride()) {
      SCOPED_TRACE("killed at moment " + std::to_string(moment));
      world_.forget();
      if (!before.empty()) {
        ASSERT_EQ(world_.run(named(before, moment, "-before")), 0) << world_.log();
      }
      status = world_.run(named(role, moment, "-first"), moment);
      ASSERT_TRUE(status == 0 || status == killed) << world_.log();
      deaths_ += status == killed ? 1 : 0;
      die_again(named(recovery, moment, "-second"), moment);
      ASSERT_EQ(world_.run(named(recovery, moment, "-last")), 0) << world_.log();
      hold_against_the_ledger();
    }
    EXPECT_GT(moment, 20U) << "the statements were not counted";
    RecordProperty("moments", static_cast<int>(moment));
    check_commits(title_of(GetParam()), fault, history_, outcome_, {.most_duplicates = window * deaths_}, std::nullopt);
  }

  OutboxWorld world_{GetParam()};

 private:
  /// An application names its messages after its run.
  static Role named(Role role, std::uint64_t moment, const std::string& suffix) {
    if (role.size() > 1) role[1] += std::to_string(moment) + suffix;
    return role;
  }

  void die_again(const Role& recovery, std::uint64_t moment) {
    const std::uint64_t second = 1 + random_() % moment;
    const int status = world_.run(recovery, second);
    ASSERT_TRUE(status == 0 || status == killed) << "again at " << second << "\n" << world_.log();
    deaths_ += status == killed ? 1 : 0;
  }

  void hold_against_the_ledger() {
    const History history = world_.history();
    const Outcome outcome = world_.outcome();
    EXPECT_THAT(judge_commits(history, outcome, {.most_duplicates = 2 * window}).complaints, IsEmpty()) << world_.log();
    history_.committed.insert(history_.committed.end(), history.committed.begin(), history.committed.end());
    history_.rolled_back.insert(history.rolled_back.begin(), history.rolled_back.end());
    for (const auto& [broker, messages] : outcome.arrived) {
      auto& all = outcome_.arrived[broker];
      all.insert(all.end(), messages.begin(), messages.end());
    }
    outcome_.waiting.insert(outcome_.waiting.end(), outcome.waiting.begin(), outcome.waiting.end());
    outcome_.dead.insert(outcome_.dead.end(), outcome.dead.begin(), outcome.dead.end());
  }

  std::mt19937 random_{20261126};
  std::size_t deaths_ = 0;
  History history_;
  Outcome outcome_;
};

TEST_P(StatementKillTest, OfTheApplication) {
  kill_at_every_moment("`kill -9` of the application at every statement", {"write", "run", "4"}, {"both", "run", "3"},
                       {});
}

TEST_P(StatementKillTest, OfTheRelay) {
  kill_at_every_moment("`kill -9` of the relay at every statement", {"relay"}, {"relay"}, {"write", "run", "7"});
}

TEST_P(StatementKillTest, OfBothInOneProcess) {
  kill_at_every_moment("`kill -9` of application and relay in one process at every statement", {"both", "run", "7"},
                       {"both", "run", "3"}, {});
}

INSTANTIATE_TEST_SUITE_P(All, StatementKillTest, ::testing::ValuesIn(variants()),
                         [](const auto& variant) { return variant.param; });

}  // namespace
}  // namespace action_triggers::tests
