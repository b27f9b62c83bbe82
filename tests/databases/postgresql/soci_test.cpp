// SPDX-License-Identifier: MIT
// The outbox from a layer that the library does not know: SOCI, with the statement that the outbox gives.
#include <soci/postgresql/soci-postgresql.h>

#include "databases/postgresql/other_layer.hpp"
#include "support/soci_insert.hpp"

namespace action_triggers::tests {
namespace {

class PgSociTest : public OtherLayerTest {
 protected:
  /// SOCI does not take a URI.
  std::string keywords() const {
    PGconn* const connection = sql.get();
    return std::string("host=") + PQhost(connection) + " port=" + PQport(connection) + " user=" + PQuser(connection) +
           " password='" + PQpass(connection) + "' dbname=" + PQdb(connection);
  }
};

TEST_F(PgSociTest, ItsTransactionsWriteToTheOutbox) {
  soci::session session(soci::postgresql, keywords());
  expect_its_transactions_write_to_the_outbox(
      [&](const std::string& statement, const std::vector<OutboxValues>& messages, bool commits) {
        soci::transaction transaction(session);
        for (const OutboxValues& message : messages) insert_message(session, statement, message);
        if (commits) transaction.commit();
      });
}

}  // namespace
}  // namespace action_triggers::tests
