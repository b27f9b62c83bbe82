// SPDX-License-Identifier: MIT
/// A database with an outbox, brokers that are files, and the programs that use both.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "outbox/child_program.hpp"
#include "outbox/committed_ledger.hpp"
#include "outbox/database_under_test.hpp"
#include "support/eventually.hpp"
#include "support/temporary_folder.hpp"

namespace action_triggers::tests {

/// The destinations `orders` and `mails`, and the event order.placed, which goes to both.
class OutboxWorld {
 public:
  /// So many rows at once: a small one, so that much happens for few messages.
  static constexpr std::size_t batch = 3;

  /// `settings`: more members of the configuration's section.
  explicit OutboxWorld(const std::string& variant, const std::string& settings = {});

  /// What happened so far is forgotten, and the brokers are empty.
  void forget();

  /// A role of outbox_process. `kill_at`: the moment at which it dies, see fault_shim.cpp; 0: never.
  std::unique_ptr<ChildProgram> start(const std::vector<std::string>& role, std::uint64_t kill_at = 0);
  /// Until its end; what became of it. After a death nothing is under way, and its lease is over.
  int run(const std::vector<std::string>& role, std::uint64_t kill_at = 0);
  /// The command, with a configuration of the same outbox as its last argument. What it prints is kept in log().
  int command(std::vector<std::string> arguments, std::uint64_t kill_at = 0);

  /// What the system says to programs that are started after the first call, from now on: ENOSPC or EROFS, nothing: all
  /// is well. Not to this process.
  void fail_files(const std::string& error);
  /// A broker that programs which are started from now on cannot reach.
  void break_broker(const std::string& name);
  void mend_broker(const std::string& name);

  std::vector<std::string> sql(const std::string& statement) { return database_->rows(statement); }
  /// The first row.
  std::string value(const std::string& statement);
  [[nodiscard]] const DatabaseUnderTest& database() const { return *database_; }

  /// What all programs have printed.
  [[nodiscard]] std::string log() const { return content_of(folder_.file("log")); }
  void forget_log();
  /// Waits until they have printed that, at most a minute; false: they have not.
  [[nodiscard]] bool has_said(const std::string& text) const;
  /// Waits until there is no row in the outbox, at most a minute.
  [[nodiscard]] bool is_empty_soon();

  /// What was committed, and what was not; of what was written by outbox_process.
  History history();
  Outcome outcome();
  /// What the broker has, a line each.
  [[nodiscard]] std::vector<std::string> arrived(const std::string& broker) const;

  [[nodiscard]] std::string file(const std::string& name) const { return folder_.file(name); }

 private:
  [[nodiscard]] std::string broker_file(const std::string& name) const { return folder_.file(name + "/arrived"); }
  void write_configuration(const std::string& name, bool has_appending_brokers, const std::string& settings) const;
  [[nodiscard]] std::map<std::string, std::string> environment(std::uint64_t kill_at) const;
  int ended(int status);

  const TemporaryFolder folder_;
  const std::unique_ptr<DatabaseUnderTest> database_;
  bool fails_files_ = false;
};

}  // namespace action_triggers::tests
