// SPDX-License-Identifier: MIT
#include "databases/sqlite/sqlite_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sqlite_database.hpp"

namespace action_triggers::detail {
namespace {

TEST(SqliteFileTest, KnowsNetworkFileSystems) {
  EXPECT_EQ(network_file_system(0x6969), "NFS");
  EXPECT_EQ(network_file_system(0xFE534D42), "SMB");
  EXPECT_EQ(network_file_system(0xEF53), "") << "ext4";
  EXPECT_EQ(network_file_system(0x01021994), "") << "tmpfs";
  EXPECT_EQ(network_file_system(0x65735546), "") << "FUSE may be local";
  EXPECT_EQ(network_file_system(0), "");
}

TEST(SqliteFileTest, AsksTheFileSystem) {
  EXPECT_EQ(file_system_of("/proc/self/status"), 0x9FA0);
  EXPECT_EQ(file_system_of("/no/such/file"), 0);
}

TEST(SqliteFileTest, TellsFilesApart) {
  const tests::TemporaryFolder folder;
  const std::string path = folder.file("one");
  EXPECT_EQ(identity_of(path), std::nullopt);
  std::ofstream(path) << "1234";
  const auto first = identity_of(path);
  EXPECT_TRUE(first);
  EXPECT_EQ(identity_of(path), first);
  EXPECT_EQ(file_size(path), 4U);
  std::ofstream(folder.file("two")) << "5";
  std::filesystem::rename(folder.file("two"), path);
  EXPECT_NE(identity_of(path), first);
  EXPECT_EQ(file_size(folder.file("none")), 0U);
}

}  // namespace
}  // namespace action_triggers::detail
