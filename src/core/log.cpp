// SPDX-License-Identifier: MIT
#include "action_triggers/log.hpp"

#include <ostream>

namespace action_triggers {

std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, LogLevel level) { return out << to_string(level); }

}  // namespace action_triggers
