// SPDX-License-Identifier: MIT
/// Loads the configuration that a command is given.
#pragma once

#include <optional>
#include <string>

#include "action_triggers/config.hpp"
#include "cli/exit_code.hpp"

namespace action_triggers::cli {

/// A configuration, or what is wrong with it.
struct Loaded {
  std::optional<Config> config;
  std::optional<ConfigError> error;
  std::string unreadable{};  // why the file cannot be read, as the end of a sentence; empty: it can
};

/// "-" is standard input.
Loaded read_config(const std::string& file);

/// What people call the file.
std::string name_of(const std::string& file);

/// A configuration, or how the command ends.
struct LoadedConfig {
  std::optional<Config> config;
  ExitCode exit_code = ExitCode::success;  // another one if there is no config
};

/// Says what is wrong with the file, as a compiler does or as JSON.
LoadedConfig load(const std::string& file, bool json);

/// Prints what is wrong, as a compiler does.
void print_problems(const std::string& file, const Loaded& loaded);

/// Whether the configuration has this broker; if not, says so on standard error.
bool has_broker(const Config& config, const std::string& file, const std::string& name);

}  // namespace action_triggers::cli
