// SPDX-License-Identifier: MIT
/// How the command ends: what the shell sees.
///
/// main() returns what the command returned; but a command line that cannot be parsed is wrong_usage, an exception is
/// failure, and success becomes failure if standard output cannot be written. A configuration with problems is failure;
/// one that cannot be read, or has no broker of that name, is wrong_usage (load.cpp). check: the worst of its files.
/// ping: failure if one broker failed. fire and emit: failure unless every message was confirmed and standard input
/// could be read; an event that no trigger sends anywhere is success, as it is for emit() itself, and said. explain:
/// failure if a message cannot be made. outbox verify, capture check: failure if the tables or SQL triggers are not as
/// they should be; outbox, relay, dead and capture: failure without their database, wrong_usage if the file has no such
/// section. import-dat: failure if the dump is none; what has no equivalent is a warning. Signals: fire, emit, relay
/// --once and dead replay end with 128 + signal, in good order at the first (early_end.cpp) and at once at the second
/// (interrupts.cpp); so does relay, but with success: a signal is how it is to end. The others leave them to the
/// system.
#pragma once

namespace action_triggers::cli {

enum class ExitCode : int {
  success = 0,
  failure = 1,      // what was asked for did not succeed
  wrong_usage = 2,  // or an unreadable file
};

/// Plus the signal: the status of a command that one ended, as shells have it.
constexpr int exit_status_of_signals = 128;
constexpr ExitCode ended_by(int signal) { return static_cast<ExitCode>(exit_status_of_signals + signal); }

}  // namespace action_triggers::cli
