// SPDX-License-Identifier: MIT
#include "action_triggers/pg_scope.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "action_triggers/config.hpp"
#include "action_triggers/memory.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "databases/postgresql/server.hpp"

namespace action_triggers::tests {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PgScopeTest : public ::testing::Test {
 protected:
  PgScopeTest() {
    BrokerRegistry registry = BrokerRegistry::builtin();
    registry.add("memory", broker->maker());
    dispatcher.emplace(parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}},
        "triggers": {"paid": {"events": ["order.paid"], "targets": ["orders"]}}})",
                                    registry),
                       registry);
    sql.emplace();
    (*sql)("CREATE TEMPORARY TABLE things (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)");
  }

  PgScope& open(PgScopeOptions options = {}) { return scope.emplace(*dispatcher, sql->get(), options); }

  /// What has arrived, once all has that was sent.
  std::vector<std::string> sent() {
    dispatcher->flush(1min);
    std::vector<std::string> bodies;
    for (const Message& message : broker->messages("orders")) bodies.push_back(message.body);
    return bodies;
  }

  /// Each result is freed before the connection is idle.
  void run_asynchronously(const char* statement) {
    ASSERT_EQ(PQsendQuery(sql->get(), statement), 1);
    while (PGresult* const result = PQgetResult(sql->get())) PQclear(result);
  }

  const std::shared_ptr<InMemoryBroker> broker = std::make_shared<InMemoryBroker>();
  std::optional<TriggerDispatcher> dispatcher;
  std::optional<Sql> sql;
  std::optional<PgScope> scope;
};

TEST_F(PgScopeTest, SendsAtCommit) {
  open();
  (*sql)("BEGIN");
  const Delivery delivery = scope->fire("orders", "one");
  scope->emit("order.paid", "{}");
  EXPECT_EQ(scope->size(), 2U);
  EXPECT_THAT(sent(), IsEmpty());
  (*sql)("COMMIT");
  EXPECT_EQ(scope->size(), 0U);
  EXPECT_THAT(sent(), ElementsAre("one", "{}"));
  EXPECT_TRUE(delivery.wait().status.ok());
}

TEST_F(PgScopeTest, TakesWhatADispatcherTakes) {
  open();
  (*sql)("BEGIN");
  scope->fire("orders", {.body = "a message"});
  scope->fire("orders", std::vector<std::byte>{std::byte{'b'}});
  scope->emit("order.paid", {.body = "{}"});
  int reports = 0;
  scope->fire("orders", "with a callback", [&](const DeliveryReport&) { ++reports; });
  (*sql)("COMMIT");
  EXPECT_THAT(sent(), ElementsAre("a message", "b", "{}", "with a callback"));
  dispatcher->close(1min);
  EXPECT_EQ(reports, 1);
}

TEST_F(PgScopeTest, DropsAtRollback) {
  open();
  (*sql)("BEGIN");
  const Delivery delivery = scope->fire("orders", "one");
  (*sql)("ROLLBACK");
  EXPECT_EQ(delivery.wait().status.code(), StatusCode::rolled_back);
  (*sql)("BEGIN; COMMIT");
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(PgScopeTest, ACommitOfAFailedTransactionIsARollback) {
  open();
  (*sql)("BEGIN");
  scope->fire("orders", "one");
  EXPECT_THROW((*sql)("SELECT 1 / 0"), std::runtime_error);
  EXPECT_THROW(scope->fire("orders", "two"), std::runtime_error);
  (*sql)("COMMIT");
  EXPECT_EQ(scope->size(), 0U);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(PgScopeTest, ACommitThatFailsIsARollback) {
  open();
  (*sql)("INSERT INTO things VALUES (1)");
  (*sql)("BEGIN");
  (*sql)("INSERT INTO things VALUES (1)");
  scope->fire("orders", "one");
  EXPECT_THROW((*sql)("COMMIT"), std::runtime_error);
  EXPECT_EQ(scope->size(), 0U);
  // Also where the next transaction begins before anybody could look.
  (*sql)("BEGIN");
  (*sql)("INSERT INTO things VALUES (1)");
  scope->fire("orders", "two");
  const std::unique_ptr<PGresult, void (*)(PGresult*)> kept(PQexec(sql->get(), "COMMIT"), PQclear);
  (*sql)("BEGIN");
  scope->fire("orders", "three");
  (*sql)("COMMIT");
  EXPECT_THAT(sent(), ElementsAre("three"));
}

TEST_F(PgScopeTest, ACommitThatFailsIsNotMendedByAnother) {
  open();
  (*sql)("INSERT INTO things VALUES (1)");
  (*sql)("BEGIN");
  (*sql)("INSERT INTO things VALUES (1)");
  const Delivery delivery = scope->fire("orders", "one");
  run_asynchronously("COMMIT");
  run_asynchronously("COMMIT");  // of no transaction: the server warns only
  EXPECT_EQ(delivery.wait().status.code(), StatusCode::rolled_back);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(PgScopeTest, AFailedStatementThatIsUndoneIsForgotten) {
  open();
  for (const bool is_ours : {false, true}) {
    run_asynchronously("BEGIN");
    scope->fire("orders", is_ours ? "ours" : "theirs");
    std::optional<PgScope::Savepoint> savepoint;
    if (is_ours) {
      savepoint = scope->savepoint();
    } else {
      run_asynchronously("SAVEPOINT a");
    }
    run_asynchronously("SELECT 1 / 0");
    if (is_ours) {
      scope->rollback_to(*savepoint);
    } else {
      run_asynchronously("ROLLBACK TO a");
    }
    run_asynchronously("COMMIT");
  }
  EXPECT_THAT(sent(), ElementsAre("theirs", "ours"));
}

TEST_F(PgScopeTest, OneStringWithAllOfIt) {
  open();
  (*sql)("BEGIN");
  scope->fire("orders", "one");
  (*sql)("ROLLBACK; BEGIN; COMMIT; BEGIN");
  scope->fire("orders", "two");
  (*sql)("COMMIT; BEGIN; ROLLBACK");
  EXPECT_THAT(sent(), ElementsAre("two"));
}

TEST_F(PgScopeTest, SavepointsOfItsOwnAreExact) {
  open();
  (*sql)("BEGIN");
  scope->fire("orders", "1");
  const PgScope::Savepoint outer = scope->savepoint();
  scope->fire("orders", "2");
  const PgScope::Savepoint inner = scope->savepoint();
  scope->fire("orders", "3");
  scope->rollback_to(inner);
  scope->fire("orders", "4");
  scope->release(inner);
  EXPECT_THROW(scope->rollback_to(inner), std::invalid_argument);
  const PgScope::Savepoint last = scope->savepoint();
  scope->fire("orders", "5");
  scope->rollback_to(last);
  scope->release(outer);
  (*sql)("COMMIT");
  EXPECT_THAT(sent(), ElementsAre("1", "2", "4"));
}

TEST_F(PgScopeTest, SavepointsOfOthersDropWhatMayBeUndone) {
  open();
  (*sql)("BEGIN");
  scope->fire("orders", "1");
  (*sql)("SAVEPOINT a");
  scope->fire("orders", "2");
  (*sql)("ROLLBACK TO a");
  scope->fire("orders", "3");
  (*sql)("SAVEPOINT b");
  scope->fire("orders", "4");
  (*sql)("RELEASE b");
  (*sql)("COMMIT");
  EXPECT_THAT(sent(), ElementsAre("1", "3", "4"));
}

/// As layers do that leave no savepoint behind.
TEST_F(PgScopeTest, AnInnerSavepointThatIsRolledBackAndReleasedLeavesTheOuterOne) {
  open();
  (*sql)("BEGIN");
  scope->fire("orders", "1");
  for (const char* const outer_end : {"RELEASE outer_one", "ROLLBACK TO outer_one"}) {
    (*sql)("SAVEPOINT outer_one");
    (*sql)("SAVEPOINT inner_one");
    scope->fire("orders", "2");
    (*sql)("ROLLBACK TO inner_one");
    (*sql)("RELEASE inner_one");
    scope->fire("orders", "3");
    (*sql)(outer_end);
    scope->fire("orders", "4");
  }
  (*sql)("COMMIT");
  EXPECT_THAT(sent(), ElementsAre("1", "3", "4", "4"));
}

TEST_F(PgScopeTest, WhatIsFiredBetweenSavepointsIsUndoneWithTheOuterOne) {
  open();
  (*sql)("BEGIN");
  (*sql)("SAVEPOINT a");
  (*sql)("SAVEPOINT b");
  (*sql)("ROLLBACK TO b");
  (*sql)("RELEASE b");
  scope->fire("orders", "1");
  (*sql)("SAVEPOINT c");
  (*sql)("ROLLBACK TO a");
  (*sql)("COMMIT");
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(PgScopeTest, InATransactionThatWasOpenAnyRollbackDropsAll) {
  (*sql)("BEGIN");
  (*sql)("SAVEPOINT a");
  open();
  scope->fire("orders", "1");
  (*sql)("SAVEPOINT b");
  scope->fire("orders", "2");
  (*sql)("ROLLBACK TO a");
  scope->fire("orders", "3");
  (*sql)("SAVEPOINT c");
  (*sql)("ROLLBACK TO a");
  scope->fire("orders", "4");
  (*sql)("COMMIT");
  (*sql)("BEGIN");  // the next one is known from its beginning
  scope->fire("orders", "5");
  (*sql)("SAVEPOINT a");
  (*sql)("ROLLBACK TO a");
  (*sql)("COMMIT");
  EXPECT_THAT(sent(), ElementsAre("4", "5"));
}

TEST_F(PgScopeTest, ARollbackAndChainWithSavepointsOfItsOwnDropsAll) {
  open();
  (*sql)("BEGIN");
  scope->fire("orders", "1");
  static_cast<void>(scope->savepoint());
  (*sql)("ROLLBACK AND CHAIN");
  scope->fire("orders", "2");
  (*sql)("COMMIT");
  EXPECT_THAT(sent(), ElementsAre("2"));
}

TEST_F(PgScopeTest, AFailedStatementInASavepoint) {
  open();
  (*sql)("BEGIN");
  scope->fire("orders", "1");
  (*sql)("SAVEPOINT a");
  scope->fire("orders", "2");
  EXPECT_THROW((*sql)("SELECT 1 / 0"), std::runtime_error);
  (*sql)("ROLLBACK TO a");
  (*sql)("COMMIT");
  EXPECT_THAT(sent(), ElementsAre("1"));
}

TEST_F(PgScopeTest, ARollbackWithSavepointsDropsAll) {
  open();
  for (const bool is_ours : {false, true}) {
    (*sql)("BEGIN");
    scope->fire("orders", "1");
    if (is_ours) {
      static_cast<void>(scope->savepoint());
    } else {
      (*sql)("SAVEPOINT a");
    }
    scope->fire("orders", "2");
    (*sql)("ROLLBACK");
    EXPECT_EQ(scope->size(), 0U);
    (*sql)("BEGIN; COMMIT");
  }
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(PgScopeTest, OutsideATransactionItIsSentOrRefused) {
  open();
  scope->fire("orders", "at once");
  EXPECT_THAT(sent(), ElementsAre("at once"));
  scope.reset();
  open({.outside = PgScopeOptions::Outside::refuse});
  EXPECT_THROW(scope->fire("orders", "never"), std::logic_error);
  EXPECT_THAT(sent(), ElementsAre("at once"));
}

TEST_F(PgScopeTest, TheNextTransactionOfACommitAndChain) {
  open();
  (*sql)("BEGIN");
  scope->fire("orders", "1");
  (*sql)("COMMIT AND CHAIN");
  EXPECT_THAT(sent(), ElementsAre("1"));
  scope->fire("orders", "2");
  (*sql)("ROLLBACK");
  EXPECT_THAT(sent(), ElementsAre("1"));
}

TEST_F(PgScopeTest, OnePerConnectionAndLaterAnother) {
  open();
  EXPECT_THROW(PgScope(*dispatcher, sql->get()), std::logic_error);
  (*sql)("BEGIN");
  scope->fire("orders", "1");
  scope.reset();
  open();
  (*sql)("COMMIT");
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(PgScopeTest, AConnectionThatIsClosedIsARollback) {
  open();
  (*sql)("BEGIN");
  const Delivery delivery = scope->fire("orders", "1");
  sql.reset();
  EXPECT_EQ(delivery.wait().status.code(), StatusCode::rolled_back);
  EXPECT_THROW(scope->fire("orders", "2"), std::runtime_error);
}

TEST_F(PgScopeTest, AResultMayOutliveTheScope) {
  open();
  (*sql)("BEGIN; SAVEPOINT a");
  std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQexec(sql->get(), "ROLLBACK TO a"), PQclear);
  scope.reset();
  result.reset();
  (*sql)("COMMIT");
}

TEST_F(PgScopeTest, AnUnknownEndIsAskedFor) {
  for (const bool has_committed : {true, false}) {
    sql.emplace();
    open({.on_unknown = PgScopeOptions::Unknown::ask});
    const std::string pid = (*sql)("SELECT pg_backend_pid()");
    (*sql)("BEGIN");
    const Delivery delivery = scope->fire("orders", has_committed ? "yes" : "no");
    // The answer to COMMIT is not read.
    Sql admin;
    if (has_committed) {
      PQsendQuery(sql->get(), "COMMIT");
      eventually([&] { return admin("SELECT state FROM pg_stat_activity WHERE pid = " + pid) == "idle"; });
    }
    admin("SELECT pg_terminate_backend(" + pid + ", 10000)");
    sql.reset();
    EXPECT_TRUE(scope->is_unknown());
    EXPECT_THROW(scope->fire("orders", "not yet"), std::runtime_error);
    EXPECT_TRUE(eventually([&] { return scope->ask(admin.get()); }));
    EXPECT_EQ(delivery.wait().status.code(), has_committed ? StatusCode::ok : StatusCode::rolled_back);
    scope.reset();
  }
  EXPECT_THAT(sent(), ElementsAre("yes"));
}

TEST_F(PgScopeTest, ALostConnectionDropsUnlessItIsAskedFor) {
  open();
  (*sql)("BEGIN");
  const Delivery delivery = scope->fire("orders", "1");
  Sql()("SELECT pg_terminate_backend(" + (*sql)("SELECT pg_backend_pid()") + ", 10000)");
  EXPECT_THROW((*sql)("COMMIT"), std::runtime_error);
  EXPECT_TRUE(delivery.done());
  EXPECT_THROW(scope->fire("orders", "2"), std::runtime_error);
  EXPECT_EQ(delivery.wait().status.code(), StatusCode::rolled_back);
}

TEST_F(PgScopeTest, ACallbackMayDestroyTheScope) {
  for (const char* const end : {"ROLLBACK TO a", "ROLLBACK"}) {
    open();
    (*sql)("BEGIN; SAVEPOINT a");
    scope->fire("orders", "1", [this](const DeliveryReport& /*report*/) { scope.reset(); });
    (*sql)(end);
    EXPECT_FALSE(scope.has_value());
    (*sql)("ROLLBACK");
  }
  open();
  (*sql)("BEGIN");
  scope->fire("orders", "1", [this](const DeliveryReport& /*report*/) { scope.reset(); });
  sql.reset();
  EXPECT_FALSE(scope.has_value());
}

TEST_F(PgScopeTest, ACommandUnderWayIsRefused) {
  open();
  PQsendQuery(sql->get(), "SELECT 1");
  EXPECT_THROW(scope->fire("orders", "1"), std::logic_error);
  while (PGresult* const result = PQgetResult(sql->get())) PQclear(result);
}

TEST_F(PgScopeTest, NoResultOfACommandUnderWayIsMissed) {
  open();
  for (const bool releases : {false, true}) {
    (*sql)("BEGIN");
    const PgScope::Savepoint savepoint = scope->savepoint();
    scope->fire("orders", "1");
    PQsendQuery(sql->get(), "ROLLBACK");
    EXPECT_THROW(releases ? scope->release(savepoint) : scope->rollback_to(savepoint), std::logic_error);
    while (PGresult* const result = PQgetResult(sql->get())) PQclear(result);
    scope->fire("orders", "2");
  }
  EXPECT_THAT(sent(), ElementsAre("2", "2"));
}

}  // namespace
}  // namespace action_triggers::tests
