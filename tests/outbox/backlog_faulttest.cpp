// SPDX-License-Identifier: MIT
// Rows that wait: for a transaction of somebody else, for a broker that is down, for a destination that is not there,
// behind one that relays die of.
#include <cstdlib>

#include "outbox/outbox_fault.hpp"

namespace action_triggers::tests {
namespace {

/// `make soak` has more of everything.
std::uint64_t many(const char* variable, std::uint64_t otherwise) {
  const char* const value = std::getenv(variable);
  return value == nullptr || *value == '\0' ? otherwise : std::stoull(value);
}

class BacklogTest : public OutboxFaultTest {};

TEST_F(BacklogTest, ForeignTransactionStaysOpen) {
  const std::uint64_t messages = many("ACTION_TRIGGERS_OUTBOX_ROWS", 10'000);
  set_up({.batch = 200, .sessions = 8, .pause = 0us});
  add_relay();
  under_load("a foreign transaction stays open while " + std::to_string(messages) + " messages pass", [&] {
    Sql foreign;
    foreign("BEGIN ISOLATION LEVEL REPEATABLE READ");
    foreign("SELECT pg_current_xact_id()");  // it may write, for all that others know
    foreign("SELECT count(*) FROM " + outbox());
    const std::uint64_t goal = watch().count() + messages;
    const auto patience = std::chrono::seconds(120 + messages / 100);
    ASSERT_TRUE(eventually([&] { return watch().count() >= goal; }, patience)) << watch().count() << " of " << goal;
    foreign("ROLLBACK");
  });
}

TEST_F(BacklogTest, RabbitMqIsDownWhileTheApplicationCommits) {
  const std::uint64_t transactions = many("ACTION_TRIGGERS_OUTBOX_ROWS", 4'000);
  set_up({.batch = 200, .sessions = 8, .pause = 4'000us});
  add_relay();
  under_load("RabbitMQ down while " + std::to_string(transactions) + " transactions commit, the relay killed", [&] {
    const std::size_t before = relay().resident_bytes();
    take_away("rabbitmq", transactions);
    EXPECT_LT(relay().resident_bytes(), before + (std::size_t{32} << 20U)) << "rows that wait stay in the table";
  });
}

TEST_F(BacklogTest, KafkaIsDownAndRabbitMqGoesOn) {
  const std::uint64_t transactions = many("ACTION_TRIGGERS_OUTBOX_ROWS", 4'000);
  set_up({.batch = 200, .has_kafka = true, .sessions = 8, .pause = 4'000us});
  add_relay();
  under_load(
      "Kafka down while " + std::to_string(transactions) + " transactions commit, the relay killed, RabbitMQ goes on",
      [&] {
        const std::size_t before = relay().resident_bytes();
        const std::uint64_t goal = watch().count() + transactions / 2;
        take_away("kafka", transactions);
        EXPECT_TRUE(eventually([&] { return watch().count() >= goal; }));
        EXPECT_LT(relay().resident_bytes(), before + (std::size_t{32} << 20U)) << "rows that wait stay in the table";
      });
}

TEST_F(BacklogTest, ADestinationThatIsNotThereHoldsOnlyItsRows) {
  set_up({.has_second = false, .has_events = false});
  add_relay();
  begin_load();
  ASSERT_TRUE(arrive(1'000)) << "the other one goes on";
  application().stop();
  ASSERT_TRUE(eventually([&] { return rows("target = 'first'") == 0U; }));
  ASSERT_GT(*rows("target = 'second'"), 500U);
  check("one destination is not there: its rows wait, and the other's arrive", {"second"});
  application().start();
  make("second");
  end_load();
  EXPECT_EQ(relay().end_it(), "");
  check("one destination is not there, and then it is");
}

TEST_F(BacklogTest, RowsThatNobodyTakesStayInTheTableAndHoldUpNobody) {
  const std::uint64_t waiting = many("ACTION_TRIGGERS_WAITING_ROWS", 50'000);
  constexpr std::uint64_t some = 3'000;
  const auto patience = std::chrono::seconds(120 + waiting / 20'000);
  set_up({.batch = 200, .has_events = false});
  add_relay();
  under_load(std::to_string(waiting) + " messages wait for a destination that no configuration has", [&] {
    const std::size_t before = relay().resident_bytes();
    const auto others_go_on = [&] {
      const std::uint64_t goal = watch().count() + some;
      EXPECT_TRUE(eventually([&] { return watch().count() >= goal; }, patience)) << watch().count() << " of " << goal;
      EXPECT_LT(relay().resident_bytes(), before + (std::size_t{32} << 20U)) << "rows that wait stay in the table";
    };
    ask("INSERT INTO " + outbox() + " (target, body) SELECT 'nobody', decode(repeat('00', 256), 'hex') " +
        "FROM generate_series(1, " + std::to_string(waiting) + ")");
    others_go_on();
    relay().kill_it();
    explain(window(1));
    relay().start();  // which knows nothing of them
    others_go_on();
    EXPECT_EQ(ask("DELETE FROM " + outbox() + " WHERE target = 'nobody'"), "");
  });
}

TEST_F(BacklogTest, ARowThatRelaysDieOfBecomesADeadLetter) {
  set_up({.has_second = false, .has_events = false});
  add_relay();
  under_load("a poisoned message at the head, of which three relays die", [&] {
    // Its queue is not there, so that it stays at the head until its relay dies.
    const std::string oldest = " FROM " + outbox() + " WHERE target = 'second' ORDER BY id LIMIT 1";
    const std::string head = ask("SELECT id" + oldest);
    guilty_ = from_hex(ask("SELECT encode(body, 'hex')" + oldest));
    const auto has_died = [&] { return ask("SELECT count(*) FROM " + dead_letters()) != "0"; };
    const auto is_about_to_send = [&] {
      return has_died() || ask("SELECT count(*) FROM " + shards() + " WHERE head = " + head +
                               " AND place LIKE '%:" + std::to_string(relay().pid()) + "'") == "1";
    };
    const auto kill = [&] {
      relay().kill_it();
      explain(window(1));
      relay().start();
    };
    kill();  // after the death of a relay that had sent much, the next one is careful from the lowest row on
    for (int deaths = 0; deaths < 20; ++deaths) {
      ASSERT_TRUE(eventually(is_about_to_send));
      if (has_died()) break;
      kill();
    }
    EXPECT_EQ(ask("SELECT status FROM " + dead_letters()), "poisoned");
    make("second");
  });
}

}  // namespace
}  // namespace action_triggers::tests
