// SPDX-License-Identifier: MIT
/// How the command ends: what the shell sees.
#pragma once

namespace action_triggers::cli {

enum class ExitCode : int {
  success = 0,
  failure = 1,      // what was asked for did not succeed
  wrong_usage = 2,  // or an unreadable file
};

/// Plus the signal: the status of a command that one ended, as shells have it.
constexpr int exit_status_of_signals = 128;

}  // namespace action_triggers::cli
