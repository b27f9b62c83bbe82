// SPDX-License-Identifier: MIT
// kill -9 right before and right after every statement, and again in recovery: of applications, of relays, of both in
// one process. Compiled into a program a database.
#include <gmock/gmock.h>

#include <cstdlib>
#include <random>

#include "outbox/outbox_world.hpp"

namespace action_triggers::tests {
namespace {

using ::testing::IsEmpty;
using Role = std::vector<std::string>;

/// Who works, who is killed, and who is killed again and then ends the work.
struct Roles {
  Role before;  // empty: nobody
  Role first;
  Role recovery;
};

const Roles application{.before = {}, .first = {"write", "run", "4"}, .recovery = {"both", "run", "3"}};
const Roles relay{.before = {"write", "run", "7"}, .first = {"relay"}, .recovery = {"relay"}};
const Roles both{.before = {}, .first = {"both", "run", "7"}, .recovery = {"both", "run", "3"}};

class StatementKillTest : public ::testing::TestWithParam<std::string> {
 protected:
  /// A death leaves at most so many messages that were sent and are sent again: those that a relay had in its hands, at
  /// each of the two destinations.
  static constexpr std::size_t window = 2 * OutboxWorld::batch * 2;

  /// At one moment after the other, until one comes after the end. `stride` 2: right before each statement only.
  void kill_at_every_moment(const std::string& fault, const Roles& roles, std::uint64_t stride) {
    std::uint64_t moment = 1;
    for (bool has_died = true; has_died && !HasFailure(); moment += stride) {
      round(roles, moment, 1 + random_() % moment, has_died);
    }
    EXPECT_GT(moment, 20U) << "the statements were not counted";
    RecordProperty("moments", static_cast<int>(moment));
    check(fault);
  }

  void kill_at_random_moments(const std::string& fault, int rounds) {
    for (int number = 0; number < rounds && !HasFailure(); ++number) {
      constexpr std::uint64_t last = 150;
      bool ignored = false;
      const Roles* const all[] = {&application, &relay, &both};
      round(*all[random_() % 3], 1 + random_() % last, 1 + random_() % last, ignored);
    }
    check(fault);
  }

  std::mt19937 random_{20261126};

 private:
  /// A death at `moment`, another one in recovery at `second`, and a whole run; then the ledger is asked.
  void round(const Roles& roles, std::uint64_t moment, std::uint64_t second, bool& has_died) {
    SCOPED_TRACE("killed at moments " + std::to_string(moment) + " and " + std::to_string(second));
    world_.forget();
    ++round_;
    if (!roles.before.empty()) {
      ASSERT_EQ(world_.run(named(roles.before, "-before")), 0) << world_.log();
    }
    const int status = world_.run(named(roles.first, "-first"), moment);
    ASSERT_TRUE(status == 0 || status == killed) << world_.log();
    const int again = world_.run(named(roles.recovery, "-second"), second);
    ASSERT_TRUE(again == 0 || again == killed) << world_.log();
    ASSERT_EQ(world_.run(named(roles.recovery, "-last")), 0) << world_.log();
    deaths_ += (status == killed ? 1U : 0U) + (again == killed ? 1U : 0U);
    has_died = status == killed;
    hold_against_the_ledger();
  }

  /// An application names its messages after its run.
  [[nodiscard]] Role named(Role role, const std::string& suffix) const {
    if (role.size() > 1) role[1] += std::to_string(round_) + suffix;
    return role;
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

  /// Of all rounds together.
  void check(const std::string& fault) {
    check_commits(title_of(GetParam()), fault, history_, outcome_, {.most_duplicates = window * deaths_}, std::nullopt);
  }

  OutboxWorld world_{GetParam()};
  std::size_t round_ = 0;
  std::size_t deaths_ = 0;
  History history_;
  Outcome outcome_;
};

/// Other variants do the same with the same statements.
std::uint64_t stride_of(const std::string& variant) { return variant == variants().front() ? 1 : 2; }

TEST_P(StatementKillTest, OfTheApplication) {
  kill_at_every_moment("`kill -9` of the application at every statement", application, stride_of(GetParam()));
}

TEST_P(StatementKillTest, OfTheRelay) {
  kill_at_every_moment("`kill -9` of the relay at every statement", relay, stride_of(GetParam()));
}

TEST_P(StatementKillTest, OfBothInOneProcess) {
  kill_at_every_moment("`kill -9` of application and relay in one process at every statement", both, 2);
}

/// ACTION_TRIGGERS_RANDOM_KILLS: so many rounds, three if it is absent; ACTION_TRIGGERS_SEED: which ones.
TEST_P(StatementKillTest, OfAnybodyAtRandomMoments) {
  const char* const rounds = std::getenv("ACTION_TRIGGERS_RANDOM_KILLS");
  const char* const seed = std::getenv("ACTION_TRIGGERS_SEED");
  if (seed != nullptr) random_.seed(static_cast<std::uint32_t>(std::stoul(seed)));
  kill_at_random_moments("`kill -9` at random statements", rounds == nullptr ? 3 : std::stoi(rounds));
}

INSTANTIATE_TEST_SUITE_P(All, StatementKillTest, ::testing::ValuesIn(variants()),
                         [](const auto& variant) { return variant.param; });

}  // namespace
}  // namespace action_triggers::tests
