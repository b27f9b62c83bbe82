// SPDX-License-Identifier: MIT
#include "config/readable_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace action_triggers::detail {
namespace {

/// Why a file cannot be read; empty if it can.
std::string why_unreadable(const std::string& path, bool may_be_folder) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return std::generic_category().message(errno);
  struct stat what {};
  const bool known = ::fstat(descriptor, &what) == 0;
  ::close(descriptor);
  if (!known || S_ISREG(what.st_mode) || (S_ISDIR(what.st_mode) && may_be_folder)) return {};
  return S_ISDIR(what.st_mode) ? std::generic_category().message(EISDIR) : "Not a regular file";
}

}  // namespace

std::string the_file(const ConfigSection& section, std::string_view key, std::string_view path) {
  return section.is_substituted(key) ? "The file" : "The file '" + std::string(path) + "'";
}

bool report_unreadable(ConfigSection& section, std::string_view key, const std::string& path, bool may_be_folder) {
  const std::string why = why_unreadable(path, may_be_folder);
  if (!why.empty()) section.problem(key, the_file(section, key, path) + " cannot be read: " + why + ".");
  return !why.empty();
}

}  // namespace action_triggers::detail
