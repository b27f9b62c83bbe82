// SPDX-License-Identifier: MIT
/// What an application with SOCI does to write a message: docs/outbox.md shows it.
#pragma once

// For types of Boost it asks for Boost's headers, which SOCI's package does not bring.
#include <soci/soci-config.h>
#undef SOCI_HAVE_BOOST
#include <soci/soci.h>

#include <array>
#include <cstddef>
#include <string>

#include "action_triggers/outbox.hpp"

namespace action_triggers::tests {

inline void insert_message(soci::session& database, const std::string& statement, OutboxValues message) {
  soci::statement insert(database);
  std::array<soci::indicator, 7> indicators{};
  for (std::size_t i = 0; i < message.values.size(); ++i) {
    auto& value = message.values[i];
    indicators[i] = value ? soci::i_ok : soci::i_null;
    if (!value) value.emplace();
    insert.exchange(soci::use(*value, indicators[i]));
  }
  insert.alloc();
  insert.prepare(statement);
  insert.define_and_bind();
  insert.execute(true);
}

}  // namespace action_triggers::tests
