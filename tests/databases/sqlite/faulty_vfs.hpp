// SPDX-License-Identifier: MIT
/// A layer between SQLite and its files that counts what is written, and lets it go wrong: a full disk, kill -9 in the
/// middle, the loss of power.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace action_triggers::tests {

/// Registered under name() while it lives; one at a time. Threads: one at a time.
class FaultyVfs {
 public:
  FaultyVfs();
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  static const char* name() { return "faulty"; }

  /// Writes, truncations, removals and syncs so far.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }

  /// The process dies at once, by SIGKILL, before the change of this number (from 1). 0: never.
  void kill_before(std::uint64_t change) { kill_before_ = change; }
  /// From now on the disk is full: what would make a file longer fails.
  void set_full(bool is_full) { is_full_ = is_full; }

  /// Keeps, from now on, what would be left if the power failed. `path` is the database, which nobody has open.
  void remember(const std::string& path);
  /// Writes what is left of a file after that, if it is there: all that was synced, of what came later any part, by
  /// sectors; a file whose removal was not synced may be back.
  void write_remains(const std::string& path, const std::string& to, std::mt19937& random) const;

  // For the functions that SQLite calls.
  void before_change();
  [[nodiscard]] bool is_full() const { return is_full_; }
  void wrote(const std::string& path, std::int64_t offset, const void* data, int size);
  void truncated(const std::string& path, std::int64_t size);
  void synced(const std::string& path);
  void removed(const std::string& path, bool for_good);

 private:
  struct Write {
    std::int64_t offset = 0;
    std::string data;
    bool is_truncation = false;
  };
  struct File {
    std::string durable;
    bool is_durable = false;
    std::vector<Write> pending;
  };
  static void apply(std::string& content, const Write& write);
  static void write_remains(const File& file, const std::string& to, std::mt19937& random);

  std::uint64_t changes_ = 0;
  std::uint64_t kill_before_ = 0;
  bool is_full_ = false;
  bool remembers_ = false;
  std::map<std::string, File> files_;
  std::map<std::string, File> removed_;
};

}  // namespace action_triggers::tests
