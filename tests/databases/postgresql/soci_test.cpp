// SPDX-License-Identifier: MIT
// The outbox from a layer that the library does not know: SOCI, with the statement that the outbox gives.
#include <gmock/gmock.h>
#include <soci/postgresql/soci-postgresql.h>

#include "action_triggers/config.hpp"
#include "action_triggers/postgresql.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "databases/postgresql/server.hpp"
#include "databases/postgresql/text_values.hpp"
#include "support/soci_insert.hpp"

namespace action_triggers::tests {
namespace {

using ::testing::ElementsAre;

class PgSociTest : public PgOutboxTest {
 protected:
  /// SOCI does not take a URI.
  std::string keywords() const {
    PGconn* const connection = sql.get();
    return std::string("host=") + PQhost(connection) + " port=" + PQport(connection) + " user=" + PQuser(connection) +
           " password='" + PQpass(connection) + "' dbname=" + PQdb(connection);
  }
};

TEST_F(PgSociTest, ItsTransactionsWriteToTheOutbox) {
  install();
  TriggerDispatcher dispatcher(parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}},
      "outbox": {"type": "postgresql", "conninfo": ")" +
                                            config.conninfo.reveal() + R"(", "schema": ")" + config.schema +
                                            R"(", "relay": false}})"));
  PgOutbox outbox_of_dispatcher(dispatcher);
  const std::string statement = outbox_of_dispatcher.insert_statement();

  soci::session session(soci::postgresql, keywords());
  {
    const soci::transaction rolled_back(session);
    insert_message(session, statement, as_text(outbox_of_dispatcher.row("orders", Message{.body = "never"})));
  }
  soci::transaction transaction(session);
  const OutboxValues values = outbox_of_dispatcher.row(
      "orders", Message{.body = std::string("\0\xFF", 2), .key = "k", .headers = {{"a", "b"}}});
  insert_message(session, statement, as_text(values));
  insert_message(session, statement, as_text(outbox_of_dispatcher.event_row("order.paid", Message{.body = "{}"})));
  transaction.commit();
  outbox_of_dispatcher.committed();
  EXPECT_THAT(sql.rows("SELECT target, body, key, headers FROM " + outbox() + " ORDER BY id"),
              ElementsAre(R"(orders|\x00ff|\x6b|[["a","b"]])", R"(event:order.paid|\x7b7d||)"));
  EXPECT_EQ(sql("SELECT message_id FROM " + outbox() + " ORDER BY id LIMIT 1"), values.message_id);
}

}  // namespace
}  // namespace action_triggers::tests
