// SPDX-License-Identifier: MIT
#include "databases/postgresql/sql_text.hpp"

#include <cstddef>

#include "base/sql_quotes.hpp"
#include "outbox/outbox_store.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t longest_name = 63;  // NAMEDATALEN - 1, unless the server was built otherwise

}  // namespace

std::string quoted_name(std::string_view what, std::string_view name) {
  if (name.empty()) throw StoreError(std::string(what) + " is empty");
  if (name.find('\0') != std::string_view::npos) throw StoreError(std::string(what) + " contains a NUL byte");
  if (name.size() > longest_name) {
    throw StoreError(std::string(what) + " has " + std::to_string(name.size()) +
                     " bytes; a name in PostgreSQL has at most " + std::to_string(longest_name));
  }
  return sql_name(name);
}

}  // namespace action_triggers::detail
