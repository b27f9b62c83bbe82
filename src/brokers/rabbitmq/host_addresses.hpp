// SPDX-License-Identifier: MIT
/// The addresses of a host's name.
#pragma once

#include <string>
#include <vector>

#include "action_triggers/clock.hpp"
#include "action_triggers/status.hpp"

namespace action_triggers::detail {

/// Whether this is an address, not a name.
bool is_address(const std::string& host);

/// Looks the name up on a thread of its own, and waits until `deadline` at most: no option of the system bounds a
/// look-up, and one that is late ends unseen. ok: `addresses` has at least one, in the order in which to try them, as
/// text. An address is its own.
Status look_up(const std::string& host, TimePoint deadline, std::vector<std::string>& addresses);

}  // namespace action_triggers::detail
