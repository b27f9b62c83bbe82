// SPDX-License-Identifier: MIT
/// Reads a file that may be a configuration or a secret. Inline, since the command line tool needs it too and sees the
/// library's public symbols only.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <system_error>

#include "action_triggers/config.hpp"

namespace action_triggers::detail {

/// A file's bytes, at most one more than max_config_bytes: whoever gets that many knows that it is too large. Or
/// nothing, and why, as the end of a sentence.
struct FileContent {
  std::optional<std::string> bytes;
  std::string why;
};

/// Nobody waits for longer than this for a writer that has a pipe open and writes nothing.
constexpr int pipe_patience_ms = 10'000;

/// Reads to the end. What has nothing to read now is waited for, `patience_ms` at a time; -1: as long as it takes.
inline FileContent read_descriptor(int descriptor, int patience_ms) {
  const auto failed = [](std::string why) { return FileContent{std::nullopt, std::move(why)}; };
  std::string bytes;
  std::array<char, 16'384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
  while (bytes.size() <= max_config_bytes) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count > 0) {
      bytes.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0) {
      return {std::move(bytes), {}};
    } else if (errno == EAGAIN) {
      pollfd readable{.fd = descriptor, .events = POLLIN, .revents = 0};
      if (::poll(&readable, 1, patience_ms) == 0) return failed("nothing was written to it in time");
    } else if (errno != EINTR) {
      return failed(std::generic_category().message(errno));
    }
  }
  bytes.resize(max_config_bytes + 1);
  return {std::move(bytes), {}};
}

/// Never waits for a pipe that nobody writes to.
inline FileContent read_file(const std::string& path) {
  if (path.find('\0') != std::string::npos) return {std::nullopt, "its name has a NUL character"};
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0) return {std::nullopt, std::generic_category().message(errno)};
  FileContent content = read_descriptor(descriptor, pipe_patience_ms);
  struct stat status {};
  const bool is_pipe = ::fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode);
  if (content.bytes && content.bytes->empty() && is_pipe) content = {std::nullopt, "nobody writes to this pipe"};
  ::close(descriptor);
  return content;
}

}  // namespace action_triggers::detail
