// SPDX-License-Identifier: MIT
#include "action_triggers/config_watcher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "action_triggers/action_triggers.hpp"
#include "support/registries.hpp"
#include "support/temporary_folder.hpp"

namespace action_triggers {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ConfigWatcherTest : public ::testing::Test {
 protected:
  static std::string with_brokers(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
      text += (text.empty() ? "\"" : ",\"") + name + R"(": {"broker_type": "subject", "params": {}})";
    }
    return R"({"brokers": {)" + text + "}}";
  }
  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  /// As editors do.
  void replace(const std::string& text) {
    write(folder_ / "new", text);
    fs::rename(folder_ / "new", file_);
  }
  void load() { dispatcher_ = std::make_unique<TriggerDispatcher>(load_config(file_, registry_), registry_); }
  void start() {
    load();
    watch(1ms);
  }
  void watch(std::chrono::milliseconds settle) {
    ConfigWatcherOptions options;
    options.settle = settle;
    options.on_reload = [this](const ReloadReport& report, const std::string& error) {
      const std::lock_guard lock(mutex_);
      reports_.push_back(report);
      errors_.push_back(error);
      changed_.notify_all();
    };
    watcher_ = std::make_unique<ConfigWatcher>(*dispatcher_, file_, std::move(options));
  }
  /// Waits for so many reloads in all.
  bool reloaded(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 1min, [&] { return errors_.size() >= count; });
  }
  StatusCode outcome_of_fire(std::string_view name) { return dispatcher_->fire(name, "x").wait().status.code(); }

  const std::shared_ptr<InMemoryBroker> memory_ = std::make_shared<InMemoryBroker>();
  const BrokerRegistry registry_ = tests::registry_of(memory_->maker());
  const tests::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  const fs::path file_ = folder_ / "brokers.json";
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ReloadReport> reports_;
  std::vector<std::string> errors_;
  std::unique_ptr<TriggerDispatcher> dispatcher_;
  std::unique_ptr<ConfigWatcher> watcher_;
};

TEST_F(ConfigWatcherTest, AFileThatIsReplacedIsReloaded) {
  write(file_, with_brokers({"a"}));
  start();
  replace(with_brokers({"a", "b"}));
  ASSERT_TRUE(reloaded(1));
  EXPECT_EQ(outcome_of_fire("b"), StatusCode::ok);
  EXPECT_THAT(errors_, ElementsAre(""));
  EXPECT_THAT(reports_.front().added, ElementsAre("b"));
  EXPECT_EQ(dispatcher_->stats().reloads, 1U);
}

TEST_F(ConfigWatcherTest, AFileThatIsWrittenInPlaceIsReloaded) {
  write(file_, with_brokers({"a"}));
  start();
  write(file_, with_brokers({"a", "b"}));
  ASSERT_TRUE(reloaded(1));
  while (outcome_of_fire("b") != StatusCode::ok) ASSERT_TRUE(reloaded(errors_.size() + 1));
}

/// The file's time may be the same then, and its size is.
TEST_F(ConfigWatcherTest, AFileThatIsWrittenTwiceInAMomentIsReloaded) {
  write(file_, with_brokers({"a"}));
  start();
  write(file_, with_brokers({"b"}));
  const auto until = Clock::now() + 1min;
  while (outcome_of_fire("b") != StatusCode::ok) ASSERT_LT(Clock::now(), until);
}

/// How Kubernetes mounts a ConfigMap: the file is a link into a folder that is a link, and only that one changes.
TEST_F(ConfigWatcherTest, ALinkThatIsSwappedIsReloaded) {
  fs::create_directory(folder_ / "1");
  fs::create_directory(folder_ / "2");
  write(folder_ / "1/brokers.json", with_brokers({"a"}));
  write(folder_ / "2/brokers.json", with_brokers({"b"}));
  fs::create_symlink("1", folder_ / "..data");
  fs::create_symlink("..data/brokers.json", file_);
  start();
  fs::create_symlink("2", folder_ / "..data_tmp");
  fs::rename(folder_ / "..data_tmp", folder_ / "..data");
  ASSERT_TRUE(reloaded(1));
  EXPECT_EQ(outcome_of_fire("b"), StatusCode::ok);
  EXPECT_EQ(outcome_of_fire("a"), StatusCode::not_found);
}

TEST_F(ConfigWatcherTest, AFileOfAPlaceholderIsWatchedToo) {
  fs::create_directory(folder_ / "secrets");
  write(folder_ / "secrets/host", "one");
  write(file_, R"({"brokers": {"a": {"broker_type": "subject", "conn_details": {"host": "${file:)" +
                   (folder_ / "secrets/host").string() + R"(}"}}}})");
  start();
  write(folder_ / "secrets/new", "two");
  fs::rename(folder_ / "secrets/new", folder_ / "secrets/host");
  ASSERT_TRUE(reloaded(1));
  EXPECT_THAT(reports_.front().changed, ElementsAre("a"));
}

TEST_F(ConfigWatcherTest, AWrongFileIsSaidAndTheOneBeforeStays) {
  write(file_, with_brokers({"a"}));
  start();
  replace("{");
  ASSERT_TRUE(reloaded(1));
  EXPECT_THAT(errors_.front(), HasSubstr("brokers.json:1:"));
  EXPECT_EQ(outcome_of_fire("a"), StatusCode::ok);
  EXPECT_EQ(dispatcher_->stats().failed_reloads, 1U);
  replace(with_brokers({"a", "b"}));
  ASSERT_TRUE(reloaded(2));
  EXPECT_THAT(errors_.back(), IsEmpty());
  EXPECT_EQ(outcome_of_fire("b"), StatusCode::ok);
}

TEST_F(ConfigWatcherTest, AnotherFileInItsFolderIsNoReason) {
  write(file_, with_brokers({"a"}));
  start();
  write(folder_ / "other", "x");
  replace(with_brokers({"a", "b"}));  // which comes after it
  ASSERT_TRUE(reloaded(1));
  EXPECT_EQ(dispatcher_->stats().reloads, 1U);
}

TEST_F(ConfigWatcherTest, OtherFilesThatAreWrittenAllTheTimeDoNotHoldItUp) {
  write(file_, with_brokers({"a"}));
  load();
  watch(500ms);
  std::atomic<bool> stop{false};
  std::thread log([&] {
    while (!stop) write(folder_ / "log", "x");
  });
  replace(with_brokers({"a", "b"}));
  EXPECT_TRUE(reloaded(1));
  watcher_->reload_now();
  EXPECT_TRUE(reloaded(2));
  stop = true;
  log.join();
}

/// Kubernetes mounts a configuration and its secrets one after the other.
TEST_F(ConfigWatcherTest, AFileOfAPlaceholderThatIsNotThereYetIsWaitedFor) {
  write(file_, with_brokers({"a"}));
  start();
  replace(R"({"brokers": {"a": {"broker_type": "subject", "conn_details": {"host": "${file:)" +
          (folder_ / "host").string() + R"(}"}}}})");
  ASSERT_TRUE(reloaded(1));
  EXPECT_THAT(errors_.front(), HasSubstr("cannot be read"));
  write(folder_ / "host", "one");
  ASSERT_TRUE(reloaded(2));
  EXPECT_THAT(reports_.back().changed, ElementsAre("a"));
}

TEST_F(ConfigWatcherTest, AFileThatChangedBetweenLoadingAndWatchingIsReloaded) {
  write(file_, with_brokers({"a"}));
  load();
  write(file_, with_brokers({"a", "b"}));
  watch(1ms);
  ASSERT_TRUE(reloaded(1));
  EXPECT_EQ(outcome_of_fire("b"), StatusCode::ok);
}

TEST_F(ConfigWatcherTest, ReloadsWhenAsked) {
  write(file_, with_brokers({"a"}));
  start();
  watcher_->reload_now();
  ASSERT_TRUE(reloaded(1));
  EXPECT_THAT(reports_.front().changed, IsEmpty());
}

}  // namespace
}  // namespace action_triggers
