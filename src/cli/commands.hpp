/// The commands of action-triggers. Each returns the exit status: 0 all well, 1 what was asked for did not succeed,
/// 2 wrong usage or unreadable file.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace action_triggers::cli {

enum ExitStatus : int { all_well = 0, not_succeeded = 1, wrong_usage = 2 };

struct CheckOptions {
  std::string file;
  bool json = false;
};
int check(const CheckOptions& options);

struct PingCommandOptions {
  std::string file;
  std::vector<std::string> names;  // empty: all
  bool send = false;
  double timeout_secs = 10;
  bool json = false;
};
int ping(const PingCommandOptions& options);

struct FireOptions {
  std::string file;
  std::string name;
  std::optional<std::string> body;  // absent: lines from standard input
  std::string key;
  std::vector<std::string> headers;  // NAME=VALUE
  std::string content_type;
  std::string id;
  bool json = false;
  bool verbose = false;
};
int fire(const FireOptions& options);

}  // namespace action_triggers::cli
