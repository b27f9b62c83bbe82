// SPDX-License-Identifier: MIT
/// "Did you mean …?": the nearest of the names that are known.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace action_triggers::detail {

/// "Did you mean 'queue'?", or nothing.
std::string did_you_mean(std::string_view wrong, const std::set<std::string, std::less<>>& known);

/// "Did you mean 'queue'?", or the list of what there is.
std::string suggestion(std::string_view wrong, const std::set<std::string, std::less<>>& known);

}  // namespace action_triggers::detail
