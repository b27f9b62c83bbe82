// SPDX-License-Identifier: MIT
// The outbox from a layer that the library does not know: libpqxx, with the statement that the outbox gives.
#include <pqxx/pqxx>

#include "databases/postgresql/other_layer.hpp"

namespace action_triggers::tests {
namespace {

class LibpqxxTest : public OtherLayerTest {};

void insert_message(pqxx::work& work, const std::string& statement, const OutboxValues& message) {
  const auto text = [&](std::size_t i) { return message.values[i] ? message.values[i]->c_str() : nullptr; };
  work.exec_params(statement, text(0), text(1), text(2), text(3), text(4), text(5), text(6));
}

TEST_F(LibpqxxTest, ItsTransactionsWriteToTheOutbox) {
  pqxx::connection connection(PgServer::conninfo());
  expect_its_transactions_write_to_the_outbox(
      [&](const std::string& statement, const std::vector<OutboxValues>& messages, bool commits) {
        pqxx::work work(connection);
        for (const OutboxValues& message : messages) insert_message(work, statement, message);
        if (commits) work.commit();
      });
}

}  // namespace
}  // namespace action_triggers::tests
