// SPDX-License-Identifier: MIT
/// Commands that tests run, and the servers of scripts/servers, which they find by its variables.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>

namespace action_triggers::tests {

/// Runs a shell command; its output. Throws std::runtime_error (with the output) if it fails.
inline std::string run(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run: " + command);
  std::string output;
  std::array<char, 65'536> buffer{};
  for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) output.append(buffer.data(), n);
  if (const int status = pclose(pipe); status != 0) {
    throw std::runtime_error(command + " failed (" + std::to_string(WEXITSTATUS(status)) + "):\n" + output);
  }
  return output;
}

/// The variables of `scripts/servers env`, as they are now, become this process's.
inline void read_servers_environment() {
  std::istringstream lines(run("bash -c 'eval \"$(" ACTION_TRIGGERS_SOURCE_DIR "/scripts/servers env)\" && env'"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find('=');
    if (line.starts_with("AT_") && equals != std::string::npos) {
      setenv(line.substr(0, equals).c_str(), line.substr(equals + 1).c_str(), 1);
    }
  }
}

/// One of them.
inline std::string servers_variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) throw std::runtime_error(std::string(name) + " is not set; are the servers running?");
  return value;
}

}  // namespace action_triggers::tests
