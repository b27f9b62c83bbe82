// SPDX-License-Identifier: MIT
// kill -9 of `action-triggers dead …` right before and right after every statement, and again in recovery: no letter is
// lost, none is in both tables. Compiled into a program a database.
#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "outbox/outbox_world.hpp"

namespace action_triggers::tests {
namespace {

using ::testing::IsEmpty;

class DeadLetterKillTest : public ::testing::TestWithParam<std::string> {
 protected:
  using Arguments = std::vector<std::string>;

  /// Replaces what is in the tables.
  void fill(int letters) {
    const std::string text =
        world_.database().type() == "sqlite" ? "CAST('body ' || n AS BLOB)" : "convert_to('body ' || n, 'UTF8')";
    world_.sql(
        "DELETE FROM action_triggers_outbox; DELETE FROM action_triggers_dead_letters;"
        " INSERT INTO action_triggers_dead_letters (shard, target, body, message_id, created_at, done, destination,"
        " status, text, attempts, replayed)"
        " WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < " +
        std::to_string(letters) + ") SELECT 0, 'orders', " + text + ", 'id ' || n, " +
        (world_.database().type() == "sqlite" ? "julianday('now')" : "clock_timestamp()") +
        ", 0, 'orders', 'too_large', '', 1, 0 FROM numbers ORDER BY n");
  }

  /// For each moment until one comes after the command's end: a death at it, another one in recovery, and a whole run.
  template <class Check>
  void kill_at_every_moment(const Arguments& arguments, int letters, const Check& check) {
    int status = killed;
    std::uint64_t moment = 0;
    while (status == killed && !HasFailure()) {
      ++moment;
      SCOPED_TRACE("killed at moment " + std::to_string(moment));
      fill(letters);
      status = world_.command(arguments, moment);
      ASSERT_TRUE(status == 0 || status == killed) << world_.log();
      check();
      const std::uint64_t second = 1 + random_() % moment;
      const int again = world_.command(arguments, second);
      ASSERT_TRUE(again == 0 || again == killed) << "at " << second << "\n" << world_.log();
      check();
      world_.forget_log();
      ASSERT_EQ(world_.command(arguments), 0) << world_.log();
      check();
    }
    EXPECT_GE(moment, 3U) << "the statements were not counted";
  }

  std::string dead() { return world_.value("SELECT count(*) FROM action_triggers_dead_letters"); }
  std::string waiting() { return world_.value("SELECT count(*) FROM action_triggers_outbox"); }
  /// Of both tables.
  std::vector<std::string> ids_that_are_not_there_once() {
    return world_.sql(
        "SELECT message_id, count(*) FROM (SELECT message_id FROM action_triggers_outbox UNION ALL"
        " SELECT message_id FROM action_triggers_dead_letters) AS everywhere"
        " GROUP BY message_id HAVING count(*) <> 1");
  }

  OutboxWorld world_{GetParam()};
  std::mt19937 random_{20261126};
};

TEST_P(DeadLetterKillTest, OfReplay) {
  static constexpr int letters = 1'100;  // three transactions
  kill_at_every_moment({"dead", "replay"}, letters, [this] {
    EXPECT_EQ(std::stoi(dead()) + std::stoi(waiting()), letters);
    EXPECT_THAT(ids_that_are_not_there_once(), IsEmpty());
    EXPECT_EQ(world_.value("SELECT count(*) FROM action_triggers_outbox WHERE replayed <> 1"), "0");
  });
  EXPECT_EQ(dead(), "0");
  ASSERT_EQ(world_.run({"relay"}), 0) << world_.log();
  const std::vector<std::string> arrived = world_.arrived("orders");
  ASSERT_EQ(arrived.size(), static_cast<std::size_t>(letters));
  for (std::size_t number = 1; number <= arrived.size(); ++number) {
    const std::string text = std::to_string(number);
    EXPECT_EQ(arrived[number - 1], "id " + text + "\t\tbody " + text) << "in the old order, with the old ids";
  }
}

TEST_P(DeadLetterKillTest, OfDrop) {
  static constexpr int letters = 1'100;
  kill_at_every_moment({"dead", "drop", "--all"}, letters, [this] {
    EXPECT_TRUE(dead() == "0" || dead() == std::to_string(letters)) << dead() << ": all, or none";
    EXPECT_EQ(waiting(), "0");
  });
  EXPECT_EQ(dead(), "0");
}

TEST_P(DeadLetterKillTest, OfExport) {
  static constexpr int letters = 7;  // SQLite hands out a row a step
  kill_at_every_moment({"dead", "export"}, letters, [this] {
    EXPECT_EQ(dead(), std::to_string(letters));
    EXPECT_EQ(waiting(), "0");
  });
  const std::string exported = world_.log();
  EXPECT_EQ(std::count(exported.begin(), exported.end(), '\n'), letters);
}

INSTANTIATE_TEST_SUITE_P(All, DeadLetterKillTest, ::testing::ValuesIn(variants()),
                         [](const auto& variant) { return variant.param; });

}  // namespace
}  // namespace action_triggers::tests
