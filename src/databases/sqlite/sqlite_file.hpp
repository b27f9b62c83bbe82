// SPDX-License-Identifier: MIT
/// The file that a database is in, looked at by its path alone: a process that closes a descriptor of a database's file
/// loses all the locks that SQLite has on it, so nothing here opens it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace action_triggers::detail {

/// Which file a path leads to; another one once somebody has put a copy or a backup in its place.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t born_ns = 0;  // a later file may have the same number; 0: the file system does not say
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// Nothing: there is no such file.
std::optional<FileIdentity> identity_of(const std::string& path);

/// What statfs(2) says: the `f_type` of the file's file system; 0: it cannot be asked.
std::int64_t file_system_of(const std::string& path);

/// The name of a file system that several machines can have open at once, "" for others. SQLite's locks and its shared
/// memory do not work there.
std::string_view network_file_system(std::int64_t type);

/// In bytes; 0: there is no such file.
std::uint64_t file_size(const std::string& path);

}  // namespace action_triggers::detail
