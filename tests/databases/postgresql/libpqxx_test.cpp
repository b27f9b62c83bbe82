// SPDX-License-Identifier: MIT
// The outbox from a layer that the library does not know: libpqxx, with the statement that the outbox gives.
#include <gmock/gmock.h>

#include <pqxx/pqxx>

#include "action_triggers/config.hpp"
#include "action_triggers/postgresql.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "databases/postgresql/server.hpp"
#include "databases/postgresql/text_values.hpp"

namespace action_triggers::tests {
namespace {

using ::testing::ElementsAre;

class LibpqxxTest : public PgOutboxTest {};

void insert_message(pqxx::work& work, const std::string& statement, const OutboxValues& message) {
  const auto text = [&](std::size_t i) { return message.values[i] ? message.values[i]->c_str() : nullptr; };
  work.exec_params(statement, text(0), text(1), text(2), text(3), text(4), text(5), text(6));
}

TEST_F(LibpqxxTest, ItsTransactionsWriteToTheOutbox) {
  install();
  TriggerDispatcher dispatcher(parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}},
      "outbox": {"type": "postgresql", "conninfo": ")" +
                                            config.conninfo.reveal() + R"(", "schema": ")" + config.schema +
                                            R"(", "relay": false}})"));
  PgOutbox outbox_of_dispatcher(dispatcher);
  const std::string statement = outbox_of_dispatcher.insert_statement();

  pqxx::connection connection(PgServer::conninfo());
  {
    pqxx::work rolled_back(connection);
    insert_message(rolled_back, statement, as_text(outbox_of_dispatcher.row("orders", Message{.body = "never"})));
  }
  pqxx::work work(connection);
  const OutboxValues values = outbox_of_dispatcher.row(
      "orders", Message{.body = std::string("\0\xFF", 2), .key = "k", .headers = {{"a", "b"}}});
  insert_message(work, statement, as_text(values));
  insert_message(work, statement, as_text(outbox_of_dispatcher.event_row("order.paid", Message{.body = "{}"})));
  work.commit();
  outbox_of_dispatcher.committed();
  EXPECT_THAT(sql.rows("SELECT target, body, key, headers FROM " + outbox() + " ORDER BY id"),
              ElementsAre(R"(orders|\x00ff|\x6b|[["a","b"]])", R"(event:order.paid|\x7b7d||)"));
  EXPECT_EQ(sql("SELECT message_id FROM " + outbox() + " ORDER BY id LIMIT 1"), values.message_id);
}

}  // namespace
}  // namespace action_triggers::tests
