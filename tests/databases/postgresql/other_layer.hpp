// SPDX-License-Identifier: MIT
/// What the outbox has to see of a database layer that the library does not know, and that sends all values as text.
#pragma once

#include <gmock/gmock.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/config.hpp"
#include "action_triggers/postgresql.hpp"
#include "action_triggers/trigger_dispatcher.hpp"
#include "databases/postgresql/server.hpp"

namespace action_triggers::tests {

class OtherLayerTest : public PgOutboxTest {
 protected:
  /// Executes the statement for each of the messages in one transaction of the layer, and commits if it is told so.
  using Write =
      std::function<void(const std::string& statement, const std::vector<OutboxValues>& messages, bool commits)>;

  void expect_its_transactions_write_to_the_outbox(const Write& write) {
    install();
    TriggerDispatcher dispatcher(parse_config(R"({"brokers": {"orders": {"broker_type": "memory"}},
        "outbox": {"type": "postgresql", "conninfo": ")" +
                                              config.conninfo.reveal() + R"(", "schema": ")" + config.schema +
                                              R"(", "relay": false}})"));
    PgOutbox outbox_of_dispatcher(dispatcher);
    const std::string statement = outbox_of_dispatcher.insert_statement();

    write(statement, {as_text(outbox_of_dispatcher.row("orders", Message{.body = "never"}))}, /*commits=*/false);
    const OutboxValues values = outbox_of_dispatcher.row(
        "orders", Message{.body = std::string("\0\xFF", 2), .key = "k", .headers = {{"a", "b"}}});
    write(statement, {as_text(values), as_text(outbox_of_dispatcher.event_row("order.paid", Message{.body = "{}"}))},
          /*commits=*/true);
    outbox_of_dispatcher.committed();
    EXPECT_THAT(sql.rows("SELECT target, body, key, headers FROM " + outbox() + " ORDER BY id"),
                ::testing::ElementsAre(R"(orders|\x00ff|\x6b|[["a","b"]])", R"(event:order.paid|\x7b7d||)"));
    EXPECT_EQ(sql("SELECT message_id FROM " + outbox() + " ORDER BY id LIMIT 1"), values.message_id);
  }

 private:
  /// Body and key as PostgreSQL's text format has bytes.
  static OutboxValues as_text(OutboxValues message) {
    constexpr std::string_view digits = "0123456789abcdef";
    for (const std::size_t bytes : {1U, 2U}) {
      auto& value = message.values[bytes];
      if (!value) continue;
      std::string text = "\\x";
      for (const char c : *value) {
        const auto byte = static_cast<unsigned char>(c);
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
      }
      value = std::move(text);
    }
    return message;
  }
};

}  // namespace action_triggers::tests
