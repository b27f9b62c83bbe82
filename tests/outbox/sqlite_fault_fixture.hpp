// SPDX-License-Identifier: MIT
/// A SQLite outbox in a file that something happens to, a relay in a process of its own, and applications.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>

#include "databases/sqlite/sqlite_database.hpp"
#include "outbox/outbox_world.hpp"

namespace action_triggers::tests {

class SqliteFaultTest : public ::testing::TestWithParam<std::string> {
 protected:
  explicit SqliteFaultTest(const std::string& settings = {}) : world_(GetParam(), settings) {}

  /// Writes 7 transactions, of which two are rolled back.
  void write(const std::string& run) { ASSERT_EQ(world_.run({"write", run, "7"}), 0) << world_.log(); }

  /// As an application without the library does.
  void insert(const SqliteSession& application, const std::string& body) const {
    const std::string values = "'id-" + body + "', 'orders', 'k', '" + body + "')";
    application.execute("INSERT INTO action_triggers_outbox (message_id, target, key, body) VALUES (" + values);
    application.execute("INSERT INTO committed (message_id, target, message_key, body) VALUES (" + values);
  }

  void start_relay() {
    world_.forget_log();
    relay_ = world_.start({"serve"});
    ASSERT_TRUE(world_.has_said("from now on")) << world_.log();
  }
  void stop_relay() {
    relay_->signal(SIGTERM);
    EXPECT_EQ(relay_->wait(), 0) << world_.log();
  }

  /// Until everything has arrived; then the ledger is asked.
  void finish(const std::string& fault, std::size_t most_duplicates) {
    EXPECT_TRUE(world_.is_empty_soon()) << world_.log();
    std::optional<std::chrono::milliseconds> recovery;
    if (healed_)
      recovery = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - *healed_);
    stop_relay();
    check_commits(title_of(GetParam()), fault, world_.history(), world_.outcome(), {.most_duplicates = most_duplicates},
                  recovery);
    EXPECT_EQ(world_.value("PRAGMA integrity_check"), "ok");
  }

  OutboxWorld world_{GetParam()};
  std::unique_ptr<ChildProgram> relay_;
  std::optional<std::chrono::steady_clock::time_point> healed_;  // when the fault was over
};

}  // namespace action_triggers::tests
