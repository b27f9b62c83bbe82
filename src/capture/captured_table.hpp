// SPDX-License-Identifier: MIT
/// An entry of `capture` together with its table: which columns there are to capture.
#pragma once

#include <string>
#include <vector>

#include "capture/capture_config.hpp"
#include "capture/capture_database.hpp"

namespace action_triggers::detail {

struct CapturedTable {
  TableCapture capture;
  DatabaseTable table;
  std::vector<std::string> columns;  // in events, in their order
  bool has_all_columns = false;      // nothing was chosen or left out
  std::vector<std::string> key;      // empty: messages have none
};

/// Throws StoreError if the table lacks what the entry names.
CapturedTable captured_table(const TableCapture& capture, DatabaseTable table);

/// SQL, and the names of the triggers that are there once it has run.
struct CaptureSql {
  std::string sql;
  std::vector<std::string> triggers;
};

}  // namespace action_triggers::detail
