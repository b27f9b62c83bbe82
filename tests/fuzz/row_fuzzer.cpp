// SPDX-License-Identifier: MIT
// A line as the column `headers` of an outbox row, the rest as `properties`: what can be read is written to a row that
// reads as the same message, or refused.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "outbox/row_codec.hpp"

namespace at = action_triggers::detail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t line = all.find('\n');
  at::OutboxRow row;
  row.id = 7;
  row.body = "body";
  row.headers = std::string(all.substr(0, line));
  if (line != std::string_view::npos) row.properties = std::string(all.substr(line + 1));
  at::RowReader reader("outbox");
  try {
    const action_triggers::Message message = *reader.read(row).rest;
    at::OutboxRow again;
    static_cast<at::NewRow&>(again) = at::to_row("target", message, message.id);
    action_triggers::Message read = *reader.read(again).rest;
    if (message.properties && *message.properties == action_triggers::Properties())
      read.properties = message.properties;
    if (!(read == message)) std::abort();
  } catch (const at::RowError&) {
    // It says why.
  }
  return 0;
}
