// SPDX-License-Identifier: MIT
// A thread that waits for signals.
#include "cli/interrupts.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "cli/exit_code.hpp"

namespace action_triggers::cli {
namespace {

// The thread lives as long as the process, and so do these.
std::atomic<int> first_signal{0};
std::atomic<int> wake_descriptor{-1};
std::mutex wake_mutex;
std::function<void()> wake_command;
std::function<void()> hang_up_command;

/// False: SIGHUP is a signal as the others are.
bool hang_up() {
  const std::lock_guard lock(wake_mutex);
  if (!hang_up_command) return false;
  hang_up_command();
  return true;
}

[[noreturn]] void wait_for_signals(sigset_t set) {
  for (;;) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    if (signal == SIGHUP && hang_up()) continue;
    if (first_signal.load() != 0) ::_exit(exit_status_of_signals + signal);
    first_signal = signal;
    const std::uint64_t one = 1;
    static_cast<void>(::write(wake_descriptor, &one, sizeof one) == sizeof one);  // an eventfd at 0 takes it
    const std::lock_guard lock(wake_mutex);
    if (wake_command) wake_command();
  }
}

}  // namespace

Interrupts::Interrupts(std::function<void()> wake, std::function<void()> hang_up) {
  wake_descriptor = eventfd(0, EFD_CLOEXEC);
  if (wake_descriptor < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaddset(&set, signal);
  }
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  wake_command = std::move(wake);
  hang_up_command = std::move(hang_up);
  std::thread([set] { wait_for_signals(set); }).detach();
}

Interrupts::~Interrupts() {
  const std::lock_guard lock(wake_mutex);
  wake_command = nullptr;
  hang_up_command = nullptr;
}

int Interrupts::signal() const noexcept { return first_signal; }

const char* Interrupts::name() const noexcept {
  return signal() == SIGTERM ? "SIGTERM" : signal() == SIGHUP ? "SIGHUP" : "SIGINT";
}

int Interrupts::descriptor() const noexcept { return wake_descriptor; }

void Interrupts::wait_until(std::chrono::steady_clock::time_point time) const {
  using std::chrono::milliseconds;
  while (signal() == 0) {
    const auto left = std::chrono::ceil<milliseconds>(time - std::chrono::steady_clock::now());
    if (left <= milliseconds(0)) return;
    pollfd wake{.fd = descriptor(), .events = POLLIN, .revents = 0};
    ::poll(&wake, 1, static_cast<int>(std::min(left, milliseconds(60'000)).count()));
  }
}

}  // namespace action_triggers::cli
