// SPDX-License-Identifier: MIT
/// Names in the section `capture`: tables, as SQL spells them, and events.
#pragma once

#include <optional>
#include <string_view>

#include "capture/capture_config.hpp"

namespace action_triggers::detail {

/// In an event's name: what happened.
inline constexpr std::string_view op_placeholder = "{op}";

/// `orders`, `shop.orders`, `"my.schema"."my ""table"""`: without quotes a name is taken as it is, capitals too.
/// Nothing: it is no name.
std::optional<TableName> parse_table_name(std::string_view text);

/// Whether SQL text has this word, in any case and outside '…' and "…".
bool has_sql_word(std::string_view sql, std::string_view lower_word);

}  // namespace action_triggers::detail
