// SPDX-License-Identifier: MIT
/// A server's address as a configuration gives it.
#pragma once

#include <cstdint>
#include <string>

namespace action_triggers {

struct HostPort {
  std::string host;  ///< A name or an address; IPv6 without brackets.
  std::uint16_t port = 0;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

}  // namespace action_triggers
