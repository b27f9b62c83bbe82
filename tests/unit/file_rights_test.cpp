// SPDX-License-Identifier: MIT
#include "config/file_rights.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "action_triggers/config.hpp"
#include "unit/config_support.hpp"

namespace action_triggers::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using tests::TemporaryFile;

/// Everybody may read it, and reach it, and it is on no tmpfs.
const std::string open_file = "/etc/passwd";

std::vector<std::string> warnings(const std::string& type, const std::string& section, const std::string& params) {
  std::vector<std::string> all;
  for (const ConfigProblem& warning :
       parse_config(R"({"brokers": {"b": {"broker_type": ")" + type + R"(", "conn_details": {)" + section +
                    R"(}, "params": {)" + params + "}}}}")
           .warnings) {
    all.push_back(warning.key + ": " + warning.text);
  }
  return all;
}

TEST(FileRightsTest, OfWhatEverybodyMayRead) {
  EXPECT_EQ(others_may(open_file), OthersMay::read);
  EXPECT_EQ(others_may("/etc"), OthersMay::nothing);
  EXPECT_EQ(others_may("/dev/null"), OthersMay::nothing);
  EXPECT_EQ(others_may("/nonexistent"), OthersMay::nothing);
}

TEST(FileRightsTest, OfWhatNobodyElseMayRead) {
  const TemporaryFile file("secret");
  EXPECT_EQ(others_may(file.path), OthersMay::nothing);
  ::chmod(file.path.c_str(), 0640);
  EXPECT_EQ(others_may(file.path), OthersMay::nothing);
}

TEST(FileRightsTest, OfWhatEverybodyMayWriteTo) {
  const TemporaryFile file("secret");
  ::chmod(file.path.c_str(), 0666);
  EXPECT_EQ(others_may(file.path), OthersMay::write);
  const std::filesystem::path folder = file.path.string() + ".d";
  std::filesystem::create_directory(folder);
  ::chmod(folder.c_str(), 0700);
  const std::filesystem::path inside = folder / "secret";
  std::filesystem::copy_file(file.path, inside);
  ::chmod(inside.c_str(), 0666);
  EXPECT_EQ(others_may(inside), OthersMay::nothing) << "the folder keeps them out";
  const std::filesystem::path link = file.path.string() + ".link";
  std::filesystem::create_symlink(inside, link);
  EXPECT_EQ(others_may(link), OthersMay::nothing) << "of what the link leads to";
  std::filesystem::remove(link);
  std::filesystem::remove_all(folder);
}

TEST(FileRightsTest, OfASecretThatIsMountedIntoAContainer) {
  const std::filesystem::path mounted = "/dev/shm/action_triggers_" + std::to_string(::getpid());
  std::ofstream(mounted) << "secret";
  ::chmod(mounted.c_str(), 0644);
  EXPECT_EQ(others_may(mounted), OthersMay::nothing);
  std::filesystem::remove(mounted);
}

TEST(FileRightsTest, ASecretFromAnOpenFileIsAWarning) {
  const std::string from = "\"${file:" + open_file + "}\"";
  EXPECT_THAT(warnings("rabbitmq", "\"password\": " + from, R"("queue": "q")"),
              ElementsAre("password: Everybody on this machine may read the file that this comes from (chmod o-r)."));
  EXPECT_THAT(warnings("rabbitmq", "\"connection_name\": \"${file:/etc/hostname}\"", R"("queue": "q")"), IsEmpty())
      << "it is no secret";
  EXPECT_THAT(warnings("kafka",
                       R"("bootstrap_servers": "localhost", "security_protocol": "SASL_PLAINTEXT", )"
                       R"("sasl_mechanism": "PLAIN", "sasl_plain_username": "u", "sasl.password": )" +
                           from,
                       R"("topic": "t")"),
              ElementsAre("sasl.password: Everybody on this machine may read the file that this comes from "
                          "(chmod o-r)."));
  const TemporaryFile url("amqp://u:p@localhost/");
  ::chmod(url.path.c_str(), 0622);
  EXPECT_THAT(warnings("rabbitmq", "\"url\": \"${file:" + url.path.string() + "}\"", R"("queue": "q")"),
              ElementsAre("url: Everybody on this machine may write to the file that this comes from (chmod o-w)."));
}

}  // namespace
}  // namespace action_triggers::detail
