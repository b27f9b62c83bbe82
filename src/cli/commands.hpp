// SPDX-License-Identifier: MIT
/// The commands of action-triggers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.hpp"
#include "cli/message_options.hpp"

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

struct FireOptions : MessageOptions {
  std::string file;
  std::string name;
  std::optional<std::string> body;  // absent: lines from standard input
  std::optional<double> timeout_secs;
  std::optional<std::uint64_t> count;
  std::optional<double> rate;  // messages a second
  std::string metrics;         // see MetricsServer
  bool json = false;
  bool verbose = false;
};
ExitCode fire(const FireOptions& options);

struct ExplainOptions : MessageOptions {
  std::string file;
  std::string event;                // empty: all triggers
  std::optional<std::string> body;  // the payload itself
  std::string payload_file;         // or the file that it is in; "-": standard input. Neither: the name decides
  bool defaults = false;            // show them in the text; JSON always has them
  bool json = false;
};
ExitCode explain(const ExplainOptions& options);

struct EmitOptions : MessageOptions {
  std::string file;
  std::string event;
  std::optional<std::string> body;  // absent: lines from standard input
  std::string payload_file;         // or the file that it is in; "-": all of standard input
  std::string metrics;              // see MetricsServer
  bool json = false;
  bool verbose = false;
};
ExitCode emit(const EmitOptions& options);

struct OutboxOptions {
  std::string action;  // schema, install, status, verify
  std::string file;
  bool json = false;
};
ExitCode outbox(const OutboxOptions& options);

struct RelayOptions {
  std::string file;
  bool once = false;       // ends when everything is sent
  double close_secs = 10;  // at a signal, for what is under way
  std::string metrics;     // see MetricsServer
  bool verbose = false;
};
ExitCode relay(const RelayOptions& options);

/// Which dead letters, and what to do with them.
struct DeadOptions {
  std::string action;  // list, show, count, replay, drop, export
  std::string file;
  std::optional<std::string> destination;
  std::optional<std::string> status;
  std::optional<std::string> key;
  std::optional<std::string> match;  // part of the reason
  std::optional<std::int64_t> older_secs;
  std::optional<std::int64_t> id;
  std::optional<std::size_t> limit;
  std::optional<double> rate;  // messages a second
  bool all = false;
  bool dry_run = false;
  bool json = false;
};
ExitCode dead(const DeadOptions& options);

struct CaptureOptions {
  std::string action;  // sql, install, uninstall, check
  std::string file;
  std::vector<std::string> names;  // empty: all
  bool uninstall = false;          // of sql
  bool json = false;
};
ExitCode capture(const CaptureOptions& options);

struct ImportDatOptions {
  std::string file;      // "-": standard input
  std::string settings;  // ACTION_TRIGGERS of the Django project as JSON; empty: none
  std::string out;       // empty: standard output
};
ExitCode import_dat(const ImportDatOptions& options);

ExitCode schema();

}  // namespace action_triggers::cli
