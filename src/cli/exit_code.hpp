// SPDX-License-Identifier: MIT
/// How the command ends: what the shell sees.
#pragma once

namespace action_triggers::cli {

enum class ExitCode : int {
  success = 0,
  failure = 1,      // what was asked for did not succeed
  wrong_usage = 2,  // or an unreadable file
};

}  // namespace action_triggers::cli
