// SPDX-License-Identifier: MIT
/// Small helpers for text.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace action_triggers::detail {

/// A to Z in lower case; other bytes stay as they are, whatever the locale.
std::string ascii_lower(std::string_view text);

/// "30 s", "0.25 s".
std::string seconds_text(std::chrono::milliseconds time);

}  // namespace action_triggers::detail
