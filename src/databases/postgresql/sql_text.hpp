// SPDX-License-Identifier: MIT
/// Names as PostgreSQL takes them.
#pragma once

#include <string>
#include <string_view>

namespace action_triggers::detail {

/// "name", with its quotes doubled. Throws StoreError for a name that PostgreSQL cannot have: empty, with a NUL, or of
/// more than 63 bytes (which it would cut off). `what` says which one it is.
std::string quoted_name(std::string_view what, std::string_view name);

}  // namespace action_triggers::detail
