// SPDX-License-Identifier: MIT
#include "brokers/kafka/kafka_tls_files.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "unit/config_support.hpp"

namespace action_triggers::detail {
namespace {

using tests::TemporaryFile;

TEST(KafkaTlsFilesTest, AreReplacedWhenOneIsAnotherFile) {
  const TemporaryFile authority("one");
  const TemporaryFile certificate("mine");
  KafkaConfig config;
  config.properties = {{"ssl.ca.location", authority.path.string()},
                       {"ssl.certificate.location", certificate.path.string()},
                       {"client.id", "no file"}};
  KafkaTlsFiles files(config);
  EXPECT_FALSE(files.are_replaced());
  const TemporaryFile another("two");
  std::filesystem::rename(another.path, authority.path);
  EXPECT_TRUE(files.are_replaced());
  files = KafkaTlsFiles(config);
  EXPECT_FALSE(files.are_replaced());
  std::ofstream(certificate.path) << "longer";
  EXPECT_TRUE(files.are_replaced());
  std::filesystem::remove(authority.path);
  EXPECT_FALSE(files.are_replaced()) << "while one is missing";
}

TEST(KafkaTlsFilesTest, ALinkIsReplacedWithWhatItLeadsTo) {
  const TemporaryFile one("one");
  const TemporaryFile two("two");
  const std::filesystem::path link = one.path.string() + ".link";
  std::filesystem::create_symlink(one.path, link);
  KafkaConfig config;
  config.properties = {{"ssl.ca.location", link.string()}};
  const KafkaTlsFiles files(config);
  std::filesystem::remove(link);
  std::filesystem::create_symlink(two.path, link);  // as Kubernetes changes a secret
  EXPECT_TRUE(files.are_replaced());
  std::filesystem::remove(link);
}

TEST(KafkaTlsFilesTest, WithoutFilesNothingIsReplaced) {
  KafkaConfig config;
  config.properties = {{"ssl.ca.location", "probe"}};
  EXPECT_FALSE(KafkaTlsFiles().are_replaced());
  EXPECT_FALSE(KafkaTlsFiles(config).are_replaced());
}

}  // namespace
}  // namespace action_triggers::detail
