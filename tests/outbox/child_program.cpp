// SPDX-License-Identifier: MIT
#include "outbox/child_program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

extern char** environ;

namespace action_triggers::tests {
namespace {

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ChildProgram::ChildProgram(std::vector<std::string> command, const std::map<std::string, std::string>& environment,
                           const std::string& output) {
  std::vector<std::string> variables;
  for (char** one = environ; *one != nullptr; ++one) variables.emplace_back(*one);
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  const int error = ::posix_spawn(&id_, command.at(0).c_str(), &files, nullptr, pointers_to(command).data(),
                                  pointers_to(variables).data());
  ::posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw std::runtime_error("cannot start " + command.at(0));
}

ChildProgram::~ChildProgram() {
  if (status_ != -1) return;
  signal(SIGKILL);
  wait();
}

void ChildProgram::signal(int number) const {
  if (status_ == -1) ::kill(id_, number);
}

void ChildProgram::ended(int status) { status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

int ChildProgram::wait() {
  int status = 0;
  if (status_ == -1 && ::waitpid(id_, &status, 0) == id_) ended(status);
  return status_;
}

bool ChildProgram::is_running() {
  int status = 0;
  if (status_ == -1 && ::waitpid(id_, &status, WNOHANG) == id_) ended(status);
  return status_ == -1;
}

std::string content_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace action_triggers::tests
