// SPDX-License-Identifier: MIT
/// What the section `capture` of a configuration says, checked: of which tables every change becomes an event.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace action_triggers::detail {

/// What a captured change is.
enum class CaptureOp : std::uint8_t { insert, update, remove, truncate };

/// As in an event's name and payload: "insert", "update", "delete", "truncate".
std::string_view to_string(CaptureOp op) noexcept;

inline constexpr std::array row_ops{CaptureOp::insert, CaptureOp::update, CaptureOp::remove};

/// What an update's event says of the row as it was.
enum class CaptureOld : std::uint8_t { all, changed, none };

enum class CaptureLevel : std::uint8_t { row, statement };

enum class CaptureTruncate : std::uint8_t { event, refuse, ignore };

/// What takes the place of a payload that is larger than `max_bytes`.
enum class CaptureOversize : std::uint8_t { key_only, without_old };

/// A table as the configuration names it.
struct TableName {
  std::string schema;  // empty: the outbox's
  std::string name;
  friend bool operator==(const TableName&, const TableName&) = default;
};

/// One entry of the section.
struct TableCapture {
  std::string name;  // letters, digits and underscores
  TableName table;
  std::string table_text;                       // as the configuration has it, and payloads say it
  std::string event;                            // with {op} in it, or one name for all
  std::optional<std::vector<std::string>> key;  // absent: the primary key
  std::vector<CaptureOp> ops{row_ops.begin(), row_ops.end()};
  std::vector<std::string> columns;  // empty: all
  std::vector<std::string> exclude;
  std::array<std::string, 3> when;  // SQL, by CaptureOp; empty: always
  CaptureOld old = CaptureOld::all;
  CaptureLevel level = CaptureLevel::row;
  CaptureTruncate truncate = CaptureTruncate::event;
  std::size_t max_bytes = 0;  // 0: no limit
  CaptureOversize oversize = CaptureOversize::key_only;
  bool replica = false;  // also what replication writes

  [[nodiscard]] bool has(CaptureOp op) const noexcept;
  [[nodiscard]] const std::string& when_of(CaptureOp op) const { return when.at(static_cast<std::size_t>(op)); }
  /// "orders.insert"
  [[nodiscard]] std::string event_of(CaptureOp op) const;
};

/// Config::section<CaptureConfig>(): in the file's order.
struct CaptureConfig {
  std::vector<TableCapture> tables;
};

}  // namespace action_triggers::detail
