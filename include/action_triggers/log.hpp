// SPDX-License-Identifier: MIT
/// The library's log: levels, and the application's function that receives it. The library itself never prints.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string_view>

#include "action_triggers/export.hpp"

namespace action_triggers {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

/// "debug", "info", "warning", "error".
ACTION_TRIGGERS_EXPORT std::string_view to_string(LogLevel level) noexcept;
ACTION_TRIGGERS_EXPORT std::ostream& operator<<(std::ostream& out, LogLevel level);

/// Receives one line of the log: level, component ("lane", "kafka", "rabbitmq", …) and text, without a newline.
/// Called from the lanes' threads (one call at a time per lane), the relay's, and those that make or reload the
/// dispatcher, fire and emit: several at once. Should be quick; exceptions are caught and counted.
using LogCallback = std::function<void(LogLevel level, std::string_view component, std::string_view text)>;

}  // namespace action_triggers
