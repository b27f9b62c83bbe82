// SPDX-License-Identifier: MIT
/// Host names in configurations.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "action_triggers/host_port.hpp"

namespace action_triggers::detail {

/// "host", "host:port" or "[::1]:port"; std::nullopt if it is none of them.
std::optional<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port);

/// Whether traffic to this host stays on this machine.
bool is_loopback(std::string_view host);

}  // namespace action_triggers::detail
