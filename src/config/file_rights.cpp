// SPDX-License-Identifier: MIT
#include "config/file_rights.hpp"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <filesystem>
#include <system_error>

namespace action_triggers::detail {
namespace {

bool is_in_memory(const std::string& path) {
  struct statfs system {};
  return ::statfs(path.c_str(), &system) == 0 && (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC);
}

bool keeps_others_out(const std::filesystem::path& folder) {
  struct stat status {};
  return ::stat(folder.c_str(), &status) == 0 && (status.st_mode & S_IXOTH) == 0;
}

}  // namespace

OthersMay others_may(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return OthersMay::nothing;
  const bool write = (status.st_mode & S_IWOTH) != 0;
  const bool read = (status.st_mode & S_IROTH) != 0 && !is_in_memory(path);
  if (!write && !read) return OthersMay::nothing;
  std::error_code error;
  std::filesystem::path folder = std::filesystem::canonical(path, error);
  while (!error && folder.has_relative_path()) {
    folder = folder.parent_path();
    if (keeps_others_out(folder)) return OthersMay::nothing;
  }
  return write ? OthersMay::write : OthersMay::read;
}

}  // namespace action_triggers::detail
