// SPDX-License-Identifier: MIT
#include "faulty_vfs.hpp"

#include <signal.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <new>

namespace action_triggers::tests {
namespace {

FaultyVfs* the_vfs = nullptr;
sqlite3_vfs* below = nullptr;

constexpr std::size_t sector = 512;

/// What SQLite has for an open file; the file of the layer below follows it in memory.
struct OpenFile {
  sqlite3_file base;
  const char* path;  // SQLite's: valid until the file is closed
  sqlite3_file* real;
};

OpenFile& ours(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }
sqlite3_file* real(sqlite3_file* file) { return ours(file).real; }
std::string path_of(sqlite3_file* file) { return ours(file).path == nullptr ? "" : ours(file).path; }

int close_file(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }
int read_file(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
  return real(file)->pMethods->xRead(real(file), to, size, offset);
}
int write_file(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  the_vfs->before_change();
  sqlite3_int64 before = 0;
  real(file)->pMethods->xFileSize(real(file), &before);
  if (the_vfs->is_full() && offset + size > before) return SQLITE_FULL;
  const int written = real(file)->pMethods->xWrite(real(file), data, size, offset);
  if (written == SQLITE_OK) the_vfs->wrote(path_of(file), offset, data, size);
  return written;
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  the_vfs->before_change();
  const int truncated = real(file)->pMethods->xTruncate(real(file), size);
  if (truncated == SQLITE_OK) the_vfs->truncated(path_of(file), size);
  return truncated;
}
/// Only remembered: it would take most of the time of the tests, and the power does not really fail.
int sync_file(sqlite3_file* file, int) {
  the_vfs->before_change();
  the_vfs->synced(path_of(file));
  return SQLITE_OK;
}
int size_of_file(sqlite3_file* file, sqlite3_int64* size) { return real(file)->pMethods->xFileSize(real(file), size); }
int lock_file(sqlite3_file* file, int lock) { return real(file)->pMethods->xLock(real(file), lock); }
int unlock_file(sqlite3_file* file, int lock) { return real(file)->pMethods->xUnlock(real(file), lock); }
int check_lock(sqlite3_file* file, int* is_reserved) {
  return real(file)->pMethods->xCheckReservedLock(real(file), is_reserved);
}
int control_file(sqlite3_file* file, int what, void* argument) {
  return real(file)->pMethods->xFileControl(real(file), what, argument);
}
int sector_size(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
int characteristics(sqlite3_file* file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); }
int map_shm(sqlite3_file* file, int page, int size, int extend, void volatile** to) {
  return real(file)->pMethods->xShmMap(real(file), page, size, extend, to);
}
int lock_shm(sqlite3_file* file, int offset, int count, int flags) {
  return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}
void barrier_shm(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
int unmap_shm(sqlite3_file* file, int remove) { return real(file)->pMethods->xShmUnmap(real(file), remove); }

const sqlite3_io_methods& methods() {
  static const sqlite3_io_methods all = [] {
    sqlite3_io_methods made{};
    made.iVersion = 2;  // without memory-mapped reading
    made.xClose = close_file;
    made.xRead = read_file;
    made.xWrite = write_file;
    made.xTruncate = truncate_file;
    made.xSync = sync_file;
    made.xFileSize = size_of_file;
    made.xLock = lock_file;
    made.xUnlock = unlock_file;
    made.xCheckReservedLock = check_lock;
    made.xFileControl = control_file;
    made.xSectorSize = sector_size;
    made.xDeviceCharacteristics = characteristics;
    made.xShmMap = map_shm;
    made.xShmLock = lock_shm;
    made.xShmBarrier = barrier_shm;
    made.xShmUnmap = unmap_shm;
    return made;
  }();
  return all;
}

int open_file(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  OpenFile& opened = ours(file);
  opened.path = path;
  opened.real = reinterpret_cast<sqlite3_file*>(&opened + 1);
  const int code = below->xOpen(below, path, opened.real, flags, out_flags);
  opened.base.pMethods = opened.real->pMethods == nullptr ? nullptr : &methods();
  return code;
}

int remove_file(sqlite3_vfs*, const char* path, int sync_folder) {
  the_vfs->before_change();
  const int removed = below->xDelete(below, path, sync_folder);
  if (removed == SQLITE_OK) the_vfs->removed(path, sync_folder != 0);
  return removed;
}

sqlite3_vfs& registered() {
  static sqlite3_vfs vfs{};
  return vfs;
}

}  // namespace

FaultyVfs::FaultyVfs() {
  below = sqlite3_vfs_find(nullptr);
  sqlite3_vfs& vfs = registered();
  vfs = *below;
  vfs.zName = name();
  vfs.pNext = nullptr;
  vfs.szOsFile = static_cast<int>(sizeof(OpenFile)) + below->szOsFile;
  vfs.xOpen = open_file;
  vfs.xDelete = remove_file;
  the_vfs = this;
  sqlite3_vfs_register(&vfs, 0);
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_unregister(&registered());
  the_vfs = nullptr;
}

void FaultyVfs::before_change() {
  ++changes_;
  if (changes_ == kill_before_) ::raise(SIGKILL);
}

// ---------------------------------------------------------------------------------------------------------- power loss

void FaultyVfs::apply(std::string& content, const Write& write) {
  const auto offset = static_cast<std::size_t>(write.offset);
  if (write.is_truncation) {
    content.resize(offset);
    return;
  }
  if (content.size() < offset + write.data.size()) content.resize(offset + write.data.size());
  content.replace(offset, write.data.size(), write.data);
}

void FaultyVfs::remember(const std::string& path) {
  remembers_ = true;
  std::ifstream stream(path, std::ios::binary);
  File& file = files_[path];
  file.durable.assign(std::istreambuf_iterator<char>(stream), {});
  file.is_durable = true;
}

void FaultyVfs::wrote(const std::string& path, std::int64_t offset, const void* data, int size) {
  if (!remembers_) return;
  files_[path].pending.push_back(
      {.offset = offset, .data = std::string(static_cast<const char*>(data), static_cast<std::size_t>(size))});
}

void FaultyVfs::truncated(const std::string& path, std::int64_t size) {
  if (remembers_) files_[path].pending.push_back({.offset = size, .data = {}, .is_truncation = true});
}

void FaultyVfs::synced(const std::string& path) {
  if (!remembers_) return;
  File& file = files_[path];
  for (const Write& write : file.pending) apply(file.durable, write);
  file.pending.clear();
  file.is_durable = true;  // SQLite syncs the folder of a new file as well
  removed_.erase(path);
}

void FaultyVfs::removed(const std::string& path, bool for_good) {
  const auto found = files_.find(path);
  if (found == files_.end()) return;
  if (for_good) {
    removed_.erase(path);
  } else if (found->second.is_durable) {
    removed_[path] = found->second;
  }
  files_.erase(found);
}

void FaultyVfs::write_remains(const std::string& path, const std::string& to, std::mt19937& random) const {
  const auto found = files_.find(path);
  if (found != files_.end() && found->second.is_durable) return write_remains(found->second, to, random);
  const auto removed = removed_.find(path);
  if (removed != removed_.end() && random() % 2 == 0) write_remains(removed->second, to, random);
}

void FaultyVfs::write_remains(const File& file, const std::string& to, std::mt19937& random) {
  std::string content = file.durable;
  for (const Write& write : file.pending) {
    if (write.is_truncation) {
      if (random() % 2 == 0) apply(content, write);
      continue;
    }
    for (std::size_t at = 0; at < write.data.size(); at += sector) {
      if (random() % 2 == 0) continue;
      apply(content, {.offset = write.offset + static_cast<std::int64_t>(at), .data = write.data.substr(at, sector)});
    }
  }
  std::ofstream(to, std::ios::binary) << content;
}

}  // namespace action_triggers::tests
