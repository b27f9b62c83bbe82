// SPDX-License-Identifier: MIT
#include "action_triggers/stats.hpp"

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

}  // namespace action_triggers
