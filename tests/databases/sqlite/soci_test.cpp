// SPDX-License-Identifier: MIT
// The outbox from a layer that the library does not know: SOCI, with the statement that the outbox gives.
#include <gmock/gmock.h>

#include "action_triggers/config.hpp"
#include "action_triggers/sqlite.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "databases/sqlite/sqlite_database.hpp"
#include "support/soci_insert.hpp"

// As soci-sqlite3.h has it, which puts all of sqlite3.h into a namespace of its own.
extern "C" const soci::backend_factory* factory_sqlite3();

namespace action_triggers::tests {
namespace {

using ::testing::ElementsAre;

TEST(SqliteSociTest, ItsTransactionsWriteToTheOutbox) {
  const SqliteDatabase database;
  TriggerDispatcher dispatcher(
      parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}}, "outbox": {"type": "sqlite", "path": ")" +
                   database.config.path + R"(", "relay": false}})"));
  SqliteOutbox outbox(dispatcher);
  const std::string statement = outbox.insert_statement();

  soci::session session(*factory_sqlite3(), database.config.path);
  {
    const soci::transaction rolled_back(session);
    insert_message(session, statement, outbox.row("orders", Message{.body = "never"}));
  }
  soci::transaction transaction(session);
  const OutboxValues values =
      outbox.row("orders", Message{.body = std::string("\0\xFF", 2), .key = "k", .headers = {{"a", "b"}}});
  insert_message(session, statement, values);
  insert_message(session, statement, outbox.event_row("order.paid", Message{.body = "{}"}));
  transaction.commit();
  outbox.committed();
  EXPECT_THAT(database.application.lines("SELECT target, hex(CAST(body AS BLOB)), hex(CAST(key AS BLOB)), headers FROM "
                                         "action_triggers_outbox ORDER BY id"),
              ElementsAre(R"(orders|00FF|6B|[["a","b"]])", "event:order.paid|7B7D||"));
  EXPECT_EQ(database.application.text("SELECT message_id FROM action_triggers_outbox ORDER BY id"), values.message_id);
}

}  // namespace
}  // namespace action_triggers::tests
