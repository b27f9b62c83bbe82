// SPDX-License-Identifier: MIT
/// Pieces of SQL that both databases' triggers are made of.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/sql_quotes.hpp"

namespace action_triggers::detail {

/// "text", as JSON has it.
std::string json_text_of(std::string_view text);

/// The condition, if there is one, after others. On lines of its own, so that a comment at its end hides nothing.
std::string and_condition(const std::string& sql);

/// The template with each @name@ replaced. What is put in is not looked at again.
std::string filled(std::string_view text, const std::vector<std::pair<std::string_view, std::string>>& values);

}  // namespace action_triggers::detail
