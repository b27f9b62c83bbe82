// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>

namespace action_triggers::detail {
namespace {

struct FileSystem {
  std::int64_t type;
  std::string_view name;
};

// Of statfs(2). FUSE is not among them: it is behind local file systems as well.
constexpr std::array network_file_systems{
    FileSystem{0x6969, "NFS"},        FileSystem{0x517B, "SMB"},        FileSystem{0xFF534D42, "CIFS"},
    FileSystem{0xFE534D42, "SMB"},    FileSystem{0x73757245, "Coda"},   FileSystem{0x5346414F, "AFS"},
    FileSystem{0x6B414653, "AFS"},    FileSystem{0x564C, "NCP"},        FileSystem{0x00C36400, "Ceph"},
    FileSystem{0x0BD00BD0, "Lustre"}, FileSystem{0x7461636F, "OCFS2"},  FileSystem{0x01161970, "GFS2"},
    FileSystem{0x47504653, "GPFS"},   FileSystem{0x19830326, "BeeGFS"}, FileSystem{0x786F4256, "VirtualBox"},
};

}  // namespace

std::optional<FileIdentity> identity_of(const std::string& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), AT_STATX_SYNC_AS_STAT, STATX_INO | STATX_BTIME, &status) != 0) {
    return std::nullopt;
  }
  FileIdentity identity{.device = makedev(status.stx_dev_major, status.stx_dev_minor), .inode = status.stx_ino};
  if ((status.stx_mask & STATX_BTIME) != 0) {
    identity.born_ns = status.stx_btime.tv_sec * 1'000'000'000 + status.stx_btime.tv_nsec;
  }
  return identity;
}

std::int64_t file_system_of(const std::string& path) {
  struct statfs status {};
  if (::statfs(path.c_str(), &status) != 0) return 0;
  return static_cast<std::uint32_t>(status.f_type);  // some architectures have it signed
}

std::string_view network_file_system(std::int64_t type) {
  const auto found = std::find_if(network_file_systems.begin(), network_file_systems.end(),
                                  [&](const FileSystem& one) { return one.type == type; });
  return found == network_file_systems.end() ? std::string_view() : found->name;
}

std::uint64_t file_size(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

}  // namespace action_triggers::detail
