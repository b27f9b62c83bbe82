// SPDX-License-Identifier: MIT
#include "action_triggers/stats.hpp"

#include <ostream>

namespace action_triggers {

std::string_view to_string(ConnectionState state) noexcept {
  switch (state) {
    case ConnectionState::connecting:
      return "connecting";
    case ConnectionState::connected:
      return "connected";
    case ConnectionState::blocked:
      return "blocked";
    case ConnectionState::disconnected:
      return "disconnected";
    case ConnectionState::closed:
      return "closed";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, ConnectionState state) { return out << to_string(state); }

}  // namespace action_triggers
