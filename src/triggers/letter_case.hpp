// SPDX-License-Identifier: MIT
/// Text compared without regard to upper and lower case, whatever the locale: ASCII, and the Latin, Greek, Cyrillic,
/// Armenian and full-width letters whose two forms are equally long in UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace action_triggers::detail {

/// The text in lower case; it keeps its size in bytes.
std::string lower_case(std::string_view text);

/// Whether `text` in lower case is `lower`. Allocates nothing.
bool is_in_lower_case(std::string_view text, std::string_view lower) noexcept;

}  // namespace action_triggers::detail
