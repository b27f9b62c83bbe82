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

/// What is wrong with the name or address of a host that stands alone, without a port: "holds a blank", as the end of a
/// sentence. Empty: nothing.
std::string_view host_mistake(std::string_view host);

/// Whether traffic to this host stays on this machine: "localhost", or a loopback address in its usual form.
bool is_loopback(std::string_view host);

}  // namespace action_triggers::detail
