// SPDX-License-Identifier: MIT
/// Loads the configuration that a command is given.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <set>
#include <string>

#include "action_triggers/config.hpp"
#include "cli/exit_code.hpp"

namespace action_triggers::cli {

using Names = std::set<std::string, std::less<>>;

/// The names of its brokers.
Names names_in(const Config& config);

/// A configuration, or what is wrong with it.
struct Loaded {
  std::optional<Config> config;
  std::optional<ConfigError> error;
  std::string unreadable{};  // why the file cannot be read, as the end of a sentence; empty: it can
  std::string text{};        // of the file
};

/// "-" is standard input.
Loaded read_config(const std::string& file, const ConfigOptions& options = {});

/// How a command ends because of a file that was not loaded.
ExitCode exit_code_of(const Loaded& loaded);

/// What people call the file.
std::string name_of(const std::string& file);

/// A configuration, or how the command ends.
struct LoadedConfig {
  std::optional<Config> config;
  ExitCode exit_code = ExitCode::success;  // another one if there is no config
  std::string text{};                      // of the file
};

/// Says what is wrong with the file, as a compiler does or as JSON.
LoadedConfig load(const std::string& file, bool json);

/// Writes what is wrong, as a compiler does.
void print_problems(const std::string& file, const Loaded& loaded, std::ostream& out);
/// To standard output; that the file cannot be read, to standard error.
void print_problems(const std::string& file, const Loaded& loaded);

/// Says on standard error that there is no broker of this name, and which of the known ones may be meant.
void report_no_broker(const std::string& files, const std::string& name, const Names& known);

}  // namespace action_triggers::cli
