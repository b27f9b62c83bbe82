// SPDX-License-Identifier: MIT
/// Whether bytes are UTF-8.
#pragma once

#include <cstddef>
#include <string_view>

namespace action_triggers::detail {

/// The length of the UTF-8 character that begins here; 0: there is none.
std::size_t utf8_length(std::string_view text);

}  // namespace action_triggers::detail
