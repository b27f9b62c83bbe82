// SPDX-License-Identifier: MIT
// action-triggers capture sql|install|uninstall|check: the SQL triggers that write changes to the outbox.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/suggestion.hpp"
#include "capture/capture_config.hpp"
#include "capture/capture_database.hpp"
#include "capture/capture_work.hpp"
#include "cli/commands.hpp"
#include "cli/load.hpp"
#include "cli/outbox_driver_of.hpp"
#include "cli/output.hpp"
#include "config/problem_line.hpp"

namespace action_triggers::cli {
namespace {

using detail::CaptureConfig;
using detail::CaptureFinding;
using detail::CaptureWork;
using detail::printable;

/// False: one of the names is neither in the file nor in the database, which is said.
bool are_known(const CaptureOptions& options, const CaptureConfig& config, const CaptureWork& work) {
  std::set<std::string, std::less<>> known;
  for (const detail::TableCapture& capture : config.tables) known.insert(capture.name);
  for (const std::string& name : work.installed_captures()) known.insert(name);
  for (const std::string& name : options.names) {
    if (known.contains(name)) continue;
    std::cerr << name_of(options.file) << ": there is no capture '" << printable(name) << "'. "
              << printable(detail::suggestion(name, known)) << '\n';
    return false;
  }
  return true;
}

ExitCode report_changes(const CaptureOptions& options, const char* what, const std::vector<std::string>& changed) {
  if (options.json) {
    std::cout << dump({{"ok", true}, {"changed", changed}}) << '\n';
  } else if (changed.empty()) {
    std::cout << "nothing to do\n";
  } else {
    for (const std::string& name : changed) std::cout << printable(name) << ": " << what << '\n';
  }
  return ExitCode::success;
}

ExitCode report_check(const CaptureOptions& options, const std::vector<CaptureFinding>& findings) {
  const bool ok = std::all_of(findings.begin(), findings.end(),
                              [](const CaptureFinding& finding) { return finding.problems.empty(); });
  if (options.json) {
    nlohmann::json all = nlohmann::json::array();
    for (const CaptureFinding& finding : findings) {
      all.push_back({{"capture", finding.capture}, {"problems", finding.problems}, {"warnings", finding.warnings}});
    }
    std::cout << dump({{"ok", ok}, {"captures", all}}) << '\n';
  } else {
    for (const CaptureFinding& finding : findings) {
      const std::string name = printable(finding.capture);
      for (const std::string& problem : finding.problems) std::cout << name << ": " << printable(problem) << '\n';
      for (const std::string& warning : finding.warnings)
        std::cout << name << ": warning: " << printable(warning) << '\n';
      if (finding.problems.empty()) std::cout << name << ": as the configuration says\n";
    }
  }
  return ok ? ExitCode::success : ExitCode::failure;
}

}  // namespace

ExitCode capture(const CaptureOptions& options) {
  const OutboxOfFile of = load_outbox(options.file, options.json);
  if (of.settings == nullptr) return of.exit_code;
  const CaptureConfig* const config = of.config.section<CaptureConfig>();
  if (config == nullptr) {
    std::cerr << name_of(options.file) << ": there is no section 'capture'; add it, or name another file\n";
    return ExitCode::wrong_usage;
  }
  const auto database = of.driver->capture(*of.settings);
  CaptureWork work(*config, *of.settings, *database, options.names);
  if (!are_known(options, *config, work)) return ExitCode::wrong_usage;
  if (options.action == "sql") {
    std::cout << (options.uninstall ? work.uninstall_sql() : work.install_sql());
    return ExitCode::success;
  }
  if (options.action == "install") return report_changes(options, "installed", work.install());
  if (options.action == "uninstall") return report_changes(options, "uninstalled", work.uninstall());
  return report_check(options, work.check());
}

}  // namespace action_triggers::cli
