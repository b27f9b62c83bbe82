// SPDX-License-Identifier: MIT
/// Where two JSON texts differ, in words. BodyIsJson (matchers.hpp) is made of it.
#pragma once

#include <string>
#include <string_view>

#include "action_triggers/export.hpp"

namespace action_triggers::testing {

/// Empty: they are the same value, however they are written: blanks, escapes and the order of an object's members do
/// not count, of equal keys the last one does, and 99.90 is 99.9. Otherwise the first difference, as `has 7 at
/// /customer/id instead of "7"`, or `is no JSON: …`. Nested 64 levels at most.
///
/// Threads: any. Throws std::invalid_argument if `expected` is not JSON.
ACTION_TRIGGERS_EXPORT std::string json_difference(std::string_view actual, std::string_view expected);

}  // namespace action_triggers::testing
