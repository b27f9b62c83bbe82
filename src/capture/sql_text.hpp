// SPDX-License-Identifier: MIT
/// Pieces of SQL that both databases' triggers are made of.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace action_triggers::detail {

/// "name", with its quotes doubled: as both databases have it.
std::string sql_name(std::string_view name);

/// 'text', with its quotes doubled. In PostgreSQL a text with a backslash needs another form, which pg_text() has.
std::string sql_text(std::string_view text);
std::string pg_text(std::string_view text);

/// "text", as JSON has it.
std::string json_text_of(std::string_view text);

/// The template with each @name@ replaced. What is put in is not looked at again.
std::string filled(std::string_view text, const std::vector<std::pair<std::string_view, std::string>>& values);

}  // namespace action_triggers::detail
