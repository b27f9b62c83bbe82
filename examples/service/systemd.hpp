// SPDX-License-Identifier: MIT
/// What a service tells systemd of itself (sd_notify(3)), without libsystemd: a line or more to a socket.
#pragma once

#include <string>

/// "READY=1", "RELOADING=1", "STOPPING=1", "STATUS=…", one a line. Not under systemd it does nothing.
void tell_systemd(const std::string& lines);
