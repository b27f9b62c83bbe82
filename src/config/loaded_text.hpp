// SPDX-License-Identifier: MIT
/// What a Config keeps of the text that it was loaded from, as a section: for ConfigWatcher.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace action_triggers::detail {

/// Absent: the configuration was made by hand.
struct LoadedText {
  explicit LoadedText(std::string_view text) noexcept : hash(std::hash<std::string_view>()(text)) {}
  std::size_t hash;  // of the text, before anything was put in for placeholders
};

}  // namespace action_triggers::detail
