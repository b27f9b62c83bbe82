// SPDX-License-Identifier: MIT
#include "outbox/relay_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <poll.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace action_triggers::tests {
namespace {

const char* const command = ACTION_TRIGGERS_COMMAND;
constexpr int patience_ms = 60'000;

/// Whether the process has ended, at most after that time.
bool ends_in_time(pid_t pid) {
  const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (descriptor < 0) throw std::runtime_error("pidfd_open failed");
  pollfd entry{.fd = descriptor, .events = POLLIN, .revents = 0};
  const bool has_ended = ::poll(&entry, 1, patience_ms) > 0;
  ::close(descriptor);
  return has_ended;
}

}  // namespace

RelayProcess::RelayProcess(std::string file, std::string log, std::vector<std::string> environment)
    : file_(std::move(file)), log_(std::move(log)), environment_(std::move(environment)) {
  start();
}

RelayProcess::~RelayProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void RelayProcess::start() {
  if (pid_ > 0) throw std::runtime_error("the relay runs already");
  // All memory is taken before the fork: other threads may hold its locks.
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  for (const std::string& variable : environment_) variables.push_back(const_cast<char*>(variable.c_str()));
  variables.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves no relay behind
    if (::getppid() != parent) ::_exit(1);
    const int output = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(output, 1);
    ::dup2(output, 2);
    ::close_range(3, ~0U, 0);
    ::execle(command, command, "relay", file_.c_str(), nullptr, variables.data());
    ::_exit(127);
  }
  pid_ = child;
}

void RelayProcess::signal(int number) const {
  if (pid_ <= 0 || ::kill(pid_, number) != 0) throw std::runtime_error("the relay does not run");
}

bool RelayProcess::has_failed() {
  int status = 0;
  if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return false;
  pid_ = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) return true;
  throw std::runtime_error("the relay has ended by itself, status " + std::to_string(status) + ":\n" + printed());
}

void RelayProcess::supervise() {
  if (has_failed()) start();
}

void RelayProcess::kill_it() {
  if (has_failed()) return;
  signal(SIGKILL);
  ::waitpid(std::exchange(pid_, 0), nullptr, 0);
}

void RelayProcess::pause() {
  signal(SIGSTOP);
  int status = 0;
  ::waitpid(pid_, &status, WUNTRACED);  // until it has stopped
}

void RelayProcess::resume() { signal(SIGCONT); }

std::string RelayProcess::end_it() {
  signal(SIGTERM);
  const bool is_in_time = ends_in_time(pid_);
  if (!is_in_time) signal(SIGKILL);
  int status = 0;
  ::waitpid(std::exchange(pid_, 0), &status, 0);
  if (!is_in_time) return "the relay did not end:\n" + printed();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return "the relay ended with the status " + std::to_string(status) + ":\n" + printed();
}

std::string RelayProcess::printed() const {
  std::ifstream file(log_);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::size_t RelayProcess::resident_bytes() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace action_triggers::tests
