// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <thread>

#include "action_triggers/config.hpp"
#include "action_triggers/memory.hpp"
#include "action_triggers/postgresql.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "databases/postgresql/pg_outbox_store.hpp"
#include "databases/postgresql/server.hpp"

namespace action_triggers::tests {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// An application: its table, its connection, a dispatcher with a broker in memory, and the outbox of both.
class PgTransactionTest : public PgOutboxTest {
 protected:
  PgTransactionTest() {
    install();
    sql("CREATE TABLE " + config.schema + ".accounts (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)");
  }

  /// `more`: keys of the section outbox.
  PgOutbox& open(const std::string& more = R"("relay": false)") {
    BrokerRegistry registry = BrokerRegistry::builtin();
    registry.add("memory", broker->maker());
    dispatcher.emplace(
        parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}, "mails": {"broker_type": "memory"}},
        "triggers": {"paid": {"events": ["order.paid"], "targets": ["orders", "mails"]}},
        "outbox": {"type": "postgresql", "conninfo": ")" +
                         config.conninfo.reveal() + R"(", "schema": ")" + config.schema + R"(", )" + more + "}}",
                     registry),
        registry);
    return outbox_.emplace(*dispatcher);
  }

  std::vector<std::string> stored() {
    return Sql().rows("SELECT target, convert_from(body, 'UTF8') FROM " + outbox() + " ORDER BY id");
  }
  void change(int id) { sql("INSERT INTO " + config.schema + ".accounts VALUES (" + std::to_string(id) + ")"); }
  std::string changes() { return Sql()("SELECT count(*) FROM " + config.schema + ".accounts"); }

  const std::shared_ptr<InMemoryBroker> broker = std::make_shared<InMemoryBroker>();
  std::optional<TriggerDispatcher> dispatcher;
  std::optional<PgOutbox> outbox_;
};

TEST_F(PgTransactionTest, CommitStoresWhatWasFiredInItsOrder) {
  PgTransaction transaction(open(), sql.get());
  change(1);
  const std::string id = transaction.fire("orders", "one");
  transaction.emit("order.paid", R"({"id": 1})");
  transaction.fire("mails", Message{.body = "three", .key = "k"});
  EXPECT_THAT(id, SizeIs(36));
  EXPECT_THAT(stored(), IsEmpty());
  transaction.commit();
  EXPECT_THAT(stored(), ElementsAre("orders|one", "event:order.paid|{\"id\": 1}", "mails|three"));
  EXPECT_EQ(sql("SELECT message_id FROM " + outbox() + " ORDER BY id LIMIT 1"), id);
  EXPECT_EQ(changes(), "1");
  EXPECT_EQ(PQtransactionStatus(sql.get()), PQTRANS_IDLE);
  EXPECT_THROW(transaction.commit(), std::logic_error);
}

TEST_F(PgTransactionTest, RollbackStoresNothing) {
  {
    PgTransaction transaction(open(), sql.get());
    change(1);
    transaction.fire("orders", "one");
    transaction.rollback();
    EXPECT_EQ(transaction.size(), 0U);
  }
  {
    PgTransaction transaction(*outbox_, sql.get());
    change(2);
    transaction.fire("orders", "two");
  }
  EXPECT_EQ(PQtransactionStatus(sql.get()), PQTRANS_IDLE);
  EXPECT_THAT(stored(), IsEmpty());
  EXPECT_EQ(changes(), "0");
}

TEST_F(PgTransactionTest, SavepointsHoldForMessagesToo) {
  PgTransaction transaction(open(), sql.get());
  transaction.fire("orders", "kept");
  const PgTransaction::Savepoint first = transaction.savepoint();
  transaction.fire("orders", "dropped");
  const PgTransaction::Savepoint second = transaction.savepoint();
  EXPECT_THROW(sql("SELECT 1 / 0"), std::runtime_error);
  transaction.rollback_to(first);  // also out of a failed statement
  EXPECT_EQ(transaction.size(), 1U);
  transaction.fire("orders", "after");
  transaction.release(first);
  EXPECT_THROW(transaction.rollback_to(second), PgError);  // gone with the first one; now the transaction has failed
  EXPECT_THROW(transaction.commit(), PgError);
  transaction.rollback();

  PgTransaction another(*outbox_, sql.get());
  EXPECT_EQ(another.size(), 0U);
}

TEST_F(PgTransactionTest, AReleasedSavepointKeepsItsMessages) {
  PgTransaction transaction(open(), sql.get());
  const PgTransaction::Savepoint savepoint = transaction.savepoint();
  transaction.fire("orders", "one");
  transaction.release(savepoint);
  transaction.commit();
  EXPECT_THAT(stored(), ElementsAre("orders|one"));
}

TEST_F(PgTransactionTest, AFailedTransactionSaysThatItIsRolledBack) {
  PgTransaction transaction(open(), sql.get());
  EXPECT_THROW(sql("SELECT 1 / 0"), std::runtime_error);
  try {
    transaction.commit();  // without a message: COMMIT itself says no error
    ADD_FAILURE() << "no error";
  } catch (const PgCommitUnknown&) {
    ADD_FAILURE() << "it is known";
  } catch (const PgError& error) {
    EXPECT_THAT(error.what(), HasSubstr("rolled back, and nothing is sent"));
    EXPECT_EQ(error.sqlstate(), "25P02");
  }
  EXPECT_EQ(PQtransactionStatus(sql.get()), PQTRANS_IDLE);
}

TEST_F(PgTransactionTest, ADeferredConstraintFailsTheCommit) {
  change(1);
  PgTransaction transaction(open(), sql.get());
  change(1);
  transaction.fire("orders", "one");
  try {
    transaction.commit();
    ADD_FAILURE() << "no error";
  } catch (const PgError& error) {
    EXPECT_EQ(error.sqlstate(), "23505");
  }
  EXPECT_THAT(stored(), IsEmpty());
  EXPECT_EQ(PQtransactionStatus(sql.get()), PQTRANS_IDLE);
}

TEST_F(PgTransactionTest, AMessageThatCannotBeWrittenFailsTheCommit) {
  PgTransaction transaction(open(), sql.get());
  change(1);
  transaction.fire("orders", "one");
  Sql()("ALTER TABLE " + outbox() + " RENAME TO elsewhere");
  EXPECT_THAT([&] { transaction.commit(); }, ::testing::ThrowsMessage<PgError>(HasSubstr("outbox install FILE")));
  transaction.rollback();
  EXPECT_EQ(changes(), "0");
}

TEST_F(PgTransactionTest, AnOpenTransactionIsTakenOver) {
  open();
  sql("BEGIN ISOLATION LEVEL SERIALIZABLE");
  change(1);
  {
    PgTransaction transaction(*outbox_, sql.get());
    transaction.fire("orders", "one");
    transaction.commit();
  }
  EXPECT_EQ(changes(), "1");
  EXPECT_THAT(stored(), SizeIs(1));
  sql("BEGIN");
  change(2);
  { const PgTransaction transaction(*outbox_, sql.get()); }
  EXPECT_EQ(PQtransactionStatus(sql.get()), PQTRANS_IDLE);
  EXPECT_EQ(changes(), "1");
}

TEST_F(PgTransactionTest, AnotherLayerMayCommit) {
  open();
  sql("BEGIN");
  {
    PgTransaction transaction(*outbox_, sql.get());
    transaction.fire("orders", "one");
    transaction.write();
  }
  EXPECT_EQ(PQtransactionStatus(sql.get()), PQTRANS_INTRANS);
  EXPECT_THAT(stored(), IsEmpty());
  sql("COMMIT");
  EXPECT_THAT(stored(), ElementsAre("orders|one"));
}

TEST_F(PgTransactionTest, OneATimeAndOnlyWhereThereCanBeOne) {
  open();
  {
    const PgTransaction transaction(*outbox_, sql.get());
    EXPECT_THROW(PgTransaction(*outbox_, sql.get()), std::logic_error);
  }
  { const PgTransaction transaction(*outbox_, sql.get()); }
  sql("BEGIN");
  EXPECT_THROW(sql("SELECT 1 / 0"), std::runtime_error);
  EXPECT_THROW(PgTransaction(*outbox_, sql.get()), PgError);
  sql("ROLLBACK");
  PQsendQuery(sql.get(), "SELECT 1");
  EXPECT_THROW(PgTransaction(*outbox_, sql.get()), std::logic_error);
  while (PGresult* const result = PQgetResult(sql.get())) PQclear(result);
}

TEST_F(PgTransactionTest, ATransactionThatWasEndedByOtherMeans) {
  PgTransaction transaction(open(), sql.get());
  transaction.fire("orders", "one");
  sql("COMMIT");
  EXPECT_THAT([&] { transaction.commit(); },
              ::testing::ThrowsMessage<PgError>(HasSubstr("its 1 messages are not written")));
}

/// As a loop does that tries again after a conflict.
TEST_F(PgTransactionTest, WhatOthersHaveBegunSinceIsNotIts) {
  open();
  const std::string failed_commit =
      "INSERT INTO " + config.schema + ".accounts VALUES (7), (7); COMMIT";  // when it is checked
  for (const std::string& end : {std::string("ROLLBACK"), std::string("COMMIT"), failed_commit}) {
    PgTransaction transaction(*outbox_, sql.get());
    transaction.fire("orders", "one");
    PQclear(PQexec(sql.get(), end.c_str()));
    sql("BEGIN");
    EXPECT_THROW(transaction.commit(), PgError) << end;
    transaction.rollback();
    EXPECT_EQ(PQtransactionStatus(sql.get()), PQTRANS_INTRANS) << end;
    sql("ROLLBACK");
  }
  PgTransaction transaction(*outbox_, sql.get());
  transaction.fire("orders", "one");
  PQreset(sql.get());
  sql("BEGIN");
  EXPECT_THROW(transaction.commit(), PgError);
  EXPECT_THAT(stored(), IsEmpty());
}

TEST_F(PgTransactionTest, ASavepointOfOthersAndABeginTooManyAreNoEnd) {
  PgTransaction transaction(open(), sql.get());
  sql("BEGIN");  // the server warns
  transaction.fire("orders", "one");
  sql("SAVEPOINT a");
  EXPECT_THROW(sql("SELECT 1 / 0"), std::runtime_error);
  sql("ROLLBACK TO a");
  transaction.commit();
  EXPECT_THAT(stored(), ElementsAre("orders|one"));
}

TEST_F(PgTransactionTest, AConnectionThatIsClosedMeanwhile) {
  open();
  auto connection = std::make_unique<Sql>();
  PgTransaction transaction(*outbox_, connection->get());
  transaction.fire("orders", "one");
  connection.reset();
  EXPECT_THROW(transaction.commit(), PgError);
  transaction.rollback();
  EXPECT_THAT(stored(), IsEmpty());
}

TEST_F(PgTransactionTest, ALostConnectionIsARollback) {
  PgTransaction transaction(open(), sql.get());
  transaction.fire("orders", "one");
  Sql()("SELECT pg_terminate_backend(" + sql("SELECT pg_backend_pid()") + ", 10000)");
  try {
    transaction.commit();
    ADD_FAILURE() << "no error";
  } catch (const PgCommitUnknown&) {
    ADD_FAILURE() << "COMMIT was not sent";
  } catch (const PgError&) {
  }
  EXPECT_THAT(stored(), IsEmpty());
}

/// The session is ended when COMMIT has begun: by a deferred trigger, before the commit, or, with a commit that waits
/// for a standby that does not exist, after it.
class PgCommitUnknownTest : public PgTransactionTest {
 protected:
  PgCommitUnknown::Outcome outcome(PgTransaction& transaction) {
    Sql other;
    try {
      transaction.commit();
      ADD_FAILURE() << "no error";
    } catch (const PgCommitUnknown& error) {
      EXPECT_THAT(error.what(), HasSubstr("may have committed"));
      PgCommitUnknown::Outcome now = error.ask(other.get());
      eventually([&] { return (now = error.ask(other.get())) != PgCommitUnknown::Outcome::in_progress; });
      return now;
    }
    return PgCommitUnknown::Outcome::unknown;
  }
};

/// Until commits wait for the standby: the server takes a new configuration when it gets to it.
bool commits_wait(Sql& admin) {
  Sql probe;
  const std::string pid = probe("SELECT pg_backend_pid()");
  return eventually([&] {
    PQconsumeInput(probe.get());
    if (PQisBusy(probe.get()) == 0) {
      while (PGresult* const result = PQgetResult(probe.get())) PQclear(result);
      PQsendQuery(probe.get(), "SELECT pg_logical_emit_message(true, 'probe', '')");
    }
    return admin("SELECT wait_event FROM pg_stat_activity WHERE pid = " + pid) == "SyncRep";
  });
}

TEST_F(PgCommitUnknownTest, LostBeforeTheCommit) {
  sql("CREATE FUNCTION " + config.schema +
      ".die() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); RETURN NULL; END'");
  sql("CREATE CONSTRAINT TRIGGER die AFTER INSERT ON " + config.schema +
      ".accounts DEFERRABLE INITIALLY DEFERRED"
      " FOR EACH ROW EXECUTE FUNCTION " +
      config.schema + ".die()");
  PgTransaction transaction(open(), sql.get());
  change(1);
  transaction.fire("orders", "one");
  EXPECT_EQ(outcome(transaction), PgCommitUnknown::Outcome::rolled_back);
  EXPECT_THAT(stored(), IsEmpty());
  EXPECT_EQ(transaction.size(), 0U);
}

TEST_F(PgCommitUnknownTest, LostAfterTheCommit) {
  PgTransaction transaction(open(), sql.get());
  const std::string pid = sql("SELECT pg_backend_pid()");
  transaction.fire("orders", "one");
  // The commit waits for a standby; then the network is gone, for us.
  Sql admin;
  admin("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  admin("SELECT pg_reload_conf()");
  ASSERT_TRUE(commits_wait(admin));
  std::thread cuts([&] {
    Sql watcher;
    eventually([&] { return watcher("SELECT wait_event FROM pg_stat_activity WHERE pid = " + pid) == "SyncRep"; });
    shutdown(PQsocket(sql.get()), SHUT_RDWR);
  });
  std::optional<PgCommitUnknown> unknown;
  try {
    transaction.commit();
  } catch (const PgCommitUnknown& error) {
    unknown = error;
  }
  cuts.join();
  admin("ALTER SYSTEM RESET synchronous_standby_names");
  admin("SELECT pg_reload_conf()");
  ASSERT_TRUE(unknown);
  EXPECT_TRUE(eventually([&] { return unknown->ask(admin.get()) == PgCommitUnknown::Outcome::committed; }));
  EXPECT_THAT(stored(), ElementsAre("orders|one"));
}

TEST_F(PgTransactionTest, BytesAreKeptWhateverTheClientsEncodingIs) {
  open();
  for (const char* encoding : {"UTF8", "LATIN1", "SQL_ASCII"}) {
    PQsetClientEncoding(sql.get(), encoding);
    PgTransaction transaction(*outbox_, sql.get());
    const std::string body("\0\xFF\x01", 3);
    transaction.fire(
        "orders",
        Message{.body = body, .key = std::string("k\0\xFE", 3), .headers = {{"n\xC3\xA4me", "v\xE2\x82\xAC"}}});
    transaction.commit();
    Sql other;
    EXPECT_EQ(other("SELECT body, key, headers -> 0 ->> 0, headers -> 0 ->> 1 FROM " + outbox() +
                    " ORDER BY id DESC LIMIT 1"),
              "\\x00ff01|\\x6b00fe|n\xC3\xA4me|v\xE2\x82\xAC")
        << encoding;
  }
}

TEST_F(PgTransactionTest, ManyMessagesKeepTheirOrder) {
  PgTransaction transaction(open(), sql.get());
  for (int i = 0; i < 25'000; ++i) transaction.fire("orders", std::to_string(i));
  transaction.commit();
  EXPECT_EQ(sql("SELECT count(*) FROM (SELECT convert_from(body, 'UTF8')::integer - row_number() OVER (ORDER BY id) AS "
                "d FROM " +
                outbox() + ") AS r WHERE d = -1"),
            "25000");
}

TEST_F(PgTransactionTest, WorksThroughPgBouncer) {
  Sql bouncer(PgServer::bouncer_conninfo());
  PgTransaction transaction(open(), bouncer.get());
  transaction.fire("orders", "one");
  transaction.commit();
  EXPECT_THAT(stored(), ElementsAre("orders|one"));
}

TEST_F(PgTransactionTest, TheRelaySendsWhatIsCommittedAndNothingElse) {
  open(R"("poll_ms": [1, 5])");
  {
    PgTransaction transaction(*outbox_, sql.get());
    transaction.fire("orders", "rolled back");
  }
  PgTransaction transaction(*outbox_, sql.get());
  transaction.fire("orders", "one");
  transaction.emit("order.paid", R"({"id": 1})");
  transaction.commit();
  ASSERT_TRUE(eventually([&] { return stored().empty(); }));
  const auto bodies = [&](const char* destination) {
    std::vector<std::string> all;
    for (const Message& message : broker->messages(destination)) all.push_back(message.body);
    return all;
  };
  EXPECT_THAT(bodies("orders"), ElementsAre("one", R"({"id": 1})"));
  EXPECT_THAT(bodies("mails"), ElementsAre(R"({"id": 1})"));
}

TEST_F(PgTransactionTest, TheRelayReadsWhenItIsTold) {
  // After each look at an empty table, the next one is a minute later, if nobody says anything.
  ASSERT_TRUE(open(R"("notify": "after_commit", "poll_ms": [60000, 60000])").wait_until_empty(1min));
  for (std::size_t count = 1; count <= 3; ++count) {
    sql("INSERT INTO " + outbox() + " (target, body) VALUES ('orders', 'one')");
    sql("NOTIFY action_triggers_outbox");
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (broker->messages("orders").size() < count && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    ASSERT_THAT(broker->messages("orders"), SizeIs(count));
  }
}

TEST_F(PgTransactionTest, OthersAreToldAfterTheCommit) {
  detail::OutboxConfig listening = config;
  listening.notify = detail::OutboxNotify::after_commit;
  detail::PgOutboxStore store(listening);
  store.reopen();
  PgTransaction transaction(open(R"("relay": false, "notify": "after_commit")"), sql.get());
  transaction.fire("orders", "one");
  transaction.commit();
  EXPECT_TRUE(store.wait(-1, 1h));
  EXPECT_EQ(sql("SHOW synchronous_commit"), "on");
}

}  // namespace
}  // namespace action_triggers::tests
