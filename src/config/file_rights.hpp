// SPDX-License-Identifier: MIT
/// What everybody on this machine may do to a file that holds a secret.
#pragma once

#include <cstdint>
#include <string>

namespace action_triggers::detail {

enum class OthersMay : std::uint8_t { nothing, read, write };

/// Of a regular file that is there; `nothing` of anything else, and where a folder on the way keeps others out. That
/// they may read a file in memory (tmpfs) is not told: there secrets are mounted into containers, readable by everybody
/// in it.
OthersMay others_may(const std::string& path);

}  // namespace action_triggers::detail
