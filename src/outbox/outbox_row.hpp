// SPDX-License-Identifier: MIT
/// A row of the outbox table, as databases give and take it. docs/outbox.md says what each column means.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace action_triggers::detail {

/// Before the event's name, in a row's target.
inline constexpr std::string_view event_prefix = "event:";

/// What an application inserts. Texts are UTF-8, `headers` and `properties` JSON; body and key are bytes.
struct NewRow {
  std::string target;  // a destination's name, or event_prefix and an event's name
  std::string body;
  std::optional<std::string> key;
  std::optional<std::string> message_id;
  std::optional<std::string> content_type;
  std::optional<std::string> headers;     // [["name", "value"], …]
  std::optional<std::string> properties;  // what else a Message has, by its member's name
};

/// Its columns, in the order of OutboxValues.
inline constexpr std::string_view new_row_columns = "target, body, key, message_id, content_type, headers, properties";

/// Of all its texts.
inline std::size_t bytes_of(const NewRow& row) noexcept {
  std::size_t bytes = row.target.size() + row.body.size();
  for (const auto* text : {&row.key, &row.message_id, &row.content_type, &row.headers, &row.properties}) {
    if (*text) bytes += (*text)->size();
  }
  return bytes;
}

using RowTime = std::chrono::sys_time<std::chrono::microseconds>;

/// When a row says that it was created that does not say it. The same at each reading, as its message's id has to be.
inline constexpr RowTime no_time{};

/// When rows were created, by what they say; both ends belong to it.
struct CreatedBetween {
  RowTime first = RowTime::max();  // none so far
  RowTime last = RowTime::min();
  void add(RowTime time) {
    first = std::min(first, time);
    last = std::max(last, time);
  }
};
inline constexpr CreatedBetween created_at_any_time{RowTime::min(), RowTime::max()};

/// One that the table has.
struct OutboxRow : NewRow {
  std::int64_t id = 0;
  std::int32_t shard = 0;
  RowTime created_at{};
  std::uint64_t done = 0;  // which targets of an event have confirmed; see row_targets.hpp
};

/// One that is given up.
struct DeadRow {
  std::int64_t id = 0;
  RowTime created_at{};  // the row's
  std::string status;    // a StatusCode's name, or "poisoned"
  std::string text;
  std::uint32_t attempts = 0;
  std::string destination;        // the target that failed; of an event, one of several
  std::uint64_t done = 0;         // the row's, from now on
  bool is_whole = true;           // moved; false: the outbox keeps its row, for other targets of the event
  std::string message_id;         // what it was sent with; the dead letter has it where the row has none
  std::uint64_t replay_done = 0;  // `done` of the dead letter: all targets but this one, which a replay is for
};

}  // namespace action_triggers::detail
