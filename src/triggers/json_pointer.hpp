// SPDX-License-Identifier: MIT
/// JSON pointers (RFC 6901), as templates and conditions have them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace action_triggers::detail {

/// One step of a pointer.
struct PointerToken {
  std::string key;
  std::optional<std::size_t> index{};  ///< In an array; absent: no array has it.
};

/// The steps of a pointer, which is empty or begins with '/'. Nothing: a '~' in it is neither '~0' nor '~1'.
std::optional<std::vector<PointerToken>> pointer_tokens(std::string_view pointer);

}  // namespace action_triggers::detail
