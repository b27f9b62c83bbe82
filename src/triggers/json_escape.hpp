// SPDX-License-Identifier: MIT
/// Text as the inside of a JSON string.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace action_triggers::detail {

/// Appends the text, escaped where JSON wants it, without quotes. Returns where the first byte stands that is not
/// UTF-8, and then has appended what is before it; npos: there is none.
std::size_t append_escaped(std::string& to, std::string_view text);

}  // namespace action_triggers::detail
