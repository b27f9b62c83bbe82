// SPDX-License-Identifier: MIT
/// From a message to a row of the outbox table, and back, without a loss. docs/outbox.md says what each column means.
///
/// The columns `headers` and `properties` are JSON:
///     [["name", "text"], ["count", 3], ["urgent", true], ["CC", ["copy-queue"]]]
///     {"type": "order.paid", "expiration": 60000, "priority": 5, "timestamp": 1700000000000}
/// Times are milliseconds. Empty texts, and what has its default, are left out.
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "action_triggers/message.hpp"
#include "core/payload.hpp"
#include "outbox/outbox_row.hpp"
#include "triggers/payload_json.hpp"

namespace action_triggers::detail {

/// A message that no row can hold, or a row that is no message. For people: which part, and what it should be.
class RowError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// `id` is the message's, or the one that was made for it. Throws RowError for texts that are not UTF-8 or hold a NUL
/// character where the database takes none, and for headers that no broker would take.
NewRow to_row(std::string target, const MessageParts& message, std::string id);
inline NewRow to_row(std::string target, const Message& message, std::string id) {
  return to_row(std::move(target), MessageParts{message.body, &message}, std::move(id));
}

/// The id of a message whose row has none: the same at every attempt, and in the dead letters. `outbox_id` is the
/// database's own. The time is for a database that was restored: it gives the numbers of rows again that it gave since
/// the backup, and consumers would take the new messages for the old ones.
std::string derived_message_id(std::string_view outbox_id, std::int64_t row_id,
                               std::chrono::sys_time<std::chrono::microseconds> created_at);

/// Reads rows, one after the other. Threads: one at a time.
class RowReader {
 public:
  explicit RowReader(std::string outbox_id) : outbox_id_(std::move(outbox_id)) {}

  /// Valid until the next call, and as long as the row is. Throws RowError.
  MessageParts read(const OutboxRow& row);

 private:
  void read_headers(std::string_view text);
  void add_header(const PayloadJson::Value& pair);
  void read_properties(std::string_view text);
  void read_property(std::string_view name, const PayloadJson::Value& value);

  const std::string outbox_id_;
  PayloadJson json_;
  Message message_;
  std::string scratch_;
};

}  // namespace action_triggers::detail
