// SPDX-License-Identifier: MIT
// Commit scopes that are one with a transaction of SQLite.
#include <gmock/gmock.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "action_triggers/config.hpp"
#include "action_triggers/memory.hpp"
#include "action_triggers/sqlite.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "sqlite_database.hpp"

namespace action_triggers {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using tests::SqliteSession;
using tests::TemporaryFolder;

class SqliteScopeTest : public ::testing::Test {
 protected:
  SqliteScopeTest() {
    registry_.add("memory", broker_->maker());
    dispatcher_.emplace(parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}},
                                         "triggers": {"paid": {"events": ["order.paid"], "targets": ["orders"]}}})",
                                     registry_),
                        registry_);
    application_.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT)");
  }

  std::vector<std::string> arrived() {
    dispatcher_->flush(std::chrono::minutes(1));
    std::vector<std::string> bodies;
    for (const Message& message : broker_->messages("orders")) bodies.push_back(message.body);
    return bodies;
  }
  void insert(const std::string& state) { application_.execute("INSERT INTO orders (state) VALUES ('" + state + "')"); }
  std::vector<std::string> states() const { return application_.column("SELECT state FROM orders ORDER BY id"); }

  const TemporaryFolder folder_;
  const std::string path_ = folder_.file("shop.db");
  const SqliteSession application_{path_};
  const std::shared_ptr<InMemoryBroker> broker_ = std::make_shared<InMemoryBroker>();
  BrokerRegistry registry_ = BrokerRegistry::builtin();
  std::optional<TriggerDispatcher> dispatcher_;
};

TEST_F(SqliteScopeTest, SendsAtTheCommit) {
  SqliteScope scope(*dispatcher_, application_.get());
  insert("paid");
  const Delivery delivery = scope.fire("orders", "first");
  scope.emit("order.paid", "{}");
  EXPECT_EQ(scope.size(), 2U);
  EXPECT_THAT(arrived(), IsEmpty());
  scope.commit();
  EXPECT_TRUE(scope.empty());
  EXPECT_TRUE(delivery.wait().status.ok());
  EXPECT_THAT(arrived(), ElementsAre("first", "{}"));
  EXPECT_THAT(states(), ElementsAre("paid"));
  EXPECT_EQ(sqlite3_get_autocommit(application_.get()), 1);
  EXPECT_THROW(scope.commit(), std::logic_error);
}

TEST_F(SqliteScopeTest, ARollbackDropsBoth) {
  std::optional<Delivery> delivery;
  {
    SqliteScope scope(*dispatcher_, application_.get());
    insert("undone");
    delivery = scope.fire("orders", "undone");
  }
  EXPECT_EQ(delivery->wait().status.code(), StatusCode::rolled_back);
  {
    SqliteScope scope(*dispatcher_, application_.get());
    scope.fire("orders", "undone");
    scope.rollback();
    EXPECT_THROW(scope.commit(), std::logic_error);
  }
  EXPECT_THAT(arrived(), IsEmpty());
  EXPECT_THAT(states(), IsEmpty());
}

TEST_F(SqliteScopeTest, SavepointsAreOfBoth) {
  SqliteScope scope(*dispatcher_, application_.get());
  scope.fire("orders", "first");
  const auto outer = scope.savepoint();
  insert("outer");
  scope.fire("orders", "second");
  const auto inner = scope.savepoint();
  insert("undone");
  const Delivery undone = scope.fire("orders", "undone");
  scope.rollback_to(inner);
  EXPECT_EQ(undone.wait().status.code(), StatusCode::rolled_back);
  scope.release(outer);
  EXPECT_THROW(scope.rollback_to(inner), std::runtime_error);
  scope.commit();
  EXPECT_THAT(arrived(), ElementsAre("first", "second"));
  EXPECT_THAT(states(), ElementsAre("outer"));
}

TEST_F(SqliteScopeTest, ACommitThatIsBusyMayBeRepeated) {
  sqlite3_busy_timeout(application_.get(), 1);
  const SqliteSession reader(path_);
  SqliteScope scope(*dispatcher_, application_.get());
  insert("kept");
  scope.fire("orders", "kept");
  reader.execute("BEGIN");
  EXPECT_THAT(reader.column("SELECT state FROM orders"), IsEmpty());
  EXPECT_THROW(scope.commit(), SqliteBusy);
  EXPECT_EQ(scope.size(), 1U);
  reader.execute("COMMIT");
  scope.commit();
  EXPECT_THAT(arrived(), ElementsAre("kept"));
}

TEST_F(SqliteScopeTest, ATransactionThatEndedByOtherMeansSendsNothing) {
  SqliteScope scope(*dispatcher_, application_.get());
  const Delivery delivery = scope.fire("orders", "undone");
  application_.execute("ROLLBACK");
  EXPECT_THROW(scope.commit(), std::runtime_error);
  EXPECT_EQ(delivery.wait().status.code(), StatusCode::rolled_back);
  EXPECT_THAT(arrived(), IsEmpty());
}

TEST_F(SqliteScopeTest, AConnectionHasOne) {
  const SqliteScope scope(*dispatcher_, application_.get());
  EXPECT_THROW(SqliteScope(*dispatcher_, application_.get()), std::logic_error);
}

}  // namespace
}  // namespace action_triggers
