// SPDX-License-Identifier: MIT
/// What a service tells systemd of itself, see sd_notify(3).
#pragma once

#include <string>

namespace action_triggers::cli {

/// "READY=1", "RELOADING=1", "STOPPING=1", "STATUS=…", one a line. Does nothing if not started by systemd. Any thread.
void tell_systemd(const std::string& lines);

}  // namespace action_triggers::cli
