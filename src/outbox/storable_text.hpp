// SPDX-License-Identifier: MIT
/// Texts that a broker or a client library said, as databases take them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace action_triggers::detail {

/// A NUL, and what is not UTF-8, is a '?'. One of more than `longest` bytes is cut, and ends with "…".
std::string storable_text(std::string_view text, std::size_t longest = std::string_view::npos);

}  // namespace action_triggers::detail
