// SPDX-License-Identifier: MIT
/// The commands of action-triggers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.hpp"

namespace action_triggers::cli {

struct CheckOptions {
  std::vector<std::string> files;  // "-": standard input
  bool allow_unknown = false;      // resolvers, names and types of another program
  bool json = false;
};
ExitCode check(const CheckOptions& options);

struct PingCommandOptions {
  std::vector<std::string> files;  // "-": standard input
  std::vector<std::string> names;  // empty: all
  bool send = false;
  double timeout_secs = 10;
  bool json = false;
};
ExitCode ping(const PingCommandOptions& options);

struct FireOptions {
  std::string file;
  std::string name;
  std::optional<std::string> body;  // absent: lines from standard input
  std::string key;
  std::vector<std::string> headers;  // NAME=VALUE
  std::string content_type;
  std::string id;
  std::optional<double> timeout_secs;
  std::optional<std::uint64_t> count;
  std::optional<double> rate;  // messages a second
  bool json = false;
  bool verbose = false;
};
ExitCode fire(const FireOptions& options);

}  // namespace action_triggers::cli
