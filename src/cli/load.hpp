// SPDX-License-Identifier: MIT
/// Loads the configuration that a command is given.
#pragma once

#include <optional>
#include <string>

#include "action_triggers/config.hpp"
#include "cli/exit_code.hpp"

namespace action_triggers::cli {

struct Loaded {
  std::optional<Config> config;
  ExitCode exit_code = ExitCode::success;  // another one if there is no config
};

/// Says what is wrong with the file, as a compiler does or as JSON.
Loaded load(const std::string& file, bool json);

}  // namespace action_triggers::cli
