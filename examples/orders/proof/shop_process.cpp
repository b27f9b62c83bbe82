// SPDX-License-Identifier: MIT
#include "shop_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <utility>

extern char** environ;

namespace proof {
namespace {

[[noreturn]] void fail(const char* what, int error) { throw std::system_error(error, std::generic_category(), what); }

/// The read end, and the write end.
std::array<int, 2> made_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2", errno);
  return ends;
}

}  // namespace

ShopProcess::ShopProcess(const std::string& config) {
  std::signal(SIGPIPE, SIG_IGN);  // it may be dead when we write to it
  const auto [its_input, input] = made_pipe();
  const auto [output, its_output] = made_pipe();
  input_ = input;
  output_ = output;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, its_input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, its_output, STDOUT_FILENO);
  if (const char* const log = std::getenv("SHOP_LOG")) {
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  }
  std::string program = SHOP_PROGRAM;
  std::string argument = config;
  const std::array<char*, 3> arguments{program.data(), argument.data(), nullptr};
  const int error = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(its_input);
  ::close(its_output);
  if (error != 0) {
    close_pipes();
    fail(SHOP_PROGRAM, error);
  }
}

ShopProcess::~ShopProcess() { kill(); }

void ShopProcess::tell(const std::string& line) {
  const std::string text = line + "\n";  // short, so it fits into the pipe at once or the process is not reading
  for (std::size_t written = 0; written < text.size();) {
    const ssize_t n = ::write(input_, text.data() + written, text.size() - written);
    if (n < 0) return;  // it has ended: answer() says so
    written += static_cast<std::size_t>(n);
  }
}

std::optional<std::string> ShopProcess::answer() {
  for (;;) {
    if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    std::array<char, 4'096> buffer{};
    const ssize_t n = ::read(output_, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    unread_.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

std::string ShopProcess::ask(const std::string& line) {
  tell(line);
  std::optional<std::string> said = answer();
  if (!said) throw std::runtime_error("the shop has ended, and did not answer: " + line);
  return *std::move(said);
}

void ShopProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  wait_for_end();
  close_pipes();
}

bool ShopProcess::finish() {
  ::close(std::exchange(input_, -1));
  const int status = wait_for_end();
  close_pipes();
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void ShopProcess::close_pipes() {
  for (int* const end : {&input_, &output_}) {
    if (*end >= 0) ::close(std::exchange(*end, -1));
  }
}

int ShopProcess::wait_for_end() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

}  // namespace proof
