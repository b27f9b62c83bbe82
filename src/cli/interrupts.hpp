// SPDX-License-Identifier: MIT
/// Ctrl-C, SIGTERM and SIGHUP of a command: the first one asks it to end in good order, the second ends it at once. A
/// command that can load its configuration again does that at SIGHUP.
#pragma once

#include <chrono>
#include <functional>

namespace action_triggers::cli {

/// Made once, before any other thread is started: those inherit that the signals are blocked. A thread of its own waits
/// for them, so it does not matter what the command is busy with. Signals that were ignored before (nohup) stay so.
class Interrupts {
 public:
  /// `wake` is called on that thread at the first signal; `hang_up`, if there is one, at each SIGHUP, which then does
  /// not count as a signal.
  explicit Interrupts(std::function<void()> wake, std::function<void()> hang_up = {});
  /// From here on neither is called; a second signal still ends the process.
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// The signal that came; 0: none yet.
  [[nodiscard]] int signal() const noexcept;
  /// "SIGINT".
  [[nodiscard]] const char* name() const noexcept;
  /// Readable from the first signal on.
  [[nodiscard]] int descriptor() const noexcept;
  /// Until then, or until the first signal.
  void wait_until(std::chrono::steady_clock::time_point time) const;
};

}  // namespace action_triggers::cli
