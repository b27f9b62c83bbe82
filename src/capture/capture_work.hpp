// SPDX-License-Identifier: MIT
/// What `action-triggers capture` does with a database.
#pragma once

#include <string>
#include <vector>

#include "capture/capture_config.hpp"
#include "capture/capture_database.hpp"
#include "outbox/outbox_config.hpp"

namespace action_triggers::detail {

/// One capture, as the database has it.
struct CaptureFinding {
  std::string capture;
  std::vector<std::string> problems;  // sentences; empty: it is as the configuration says
  std::vector<std::string> warnings;  // what it cannot capture
};

class CaptureWork {
 public:
  /// All must outlive it. `names`: of the captures that it is about; empty: all, and with them those that are installed
  /// and no longer in the configuration.
  CaptureWork(const CaptureConfig& captures, const OutboxConfig& outbox, CaptureDatabase& database,
              std::vector<std::string> names = {});

  /// SQL that makes the triggers, and removes stale ones.
  std::string install_sql();
  std::string uninstall_sql();

  /// The names of captures that were not right, and are now; the others are left alone.
  std::vector<std::string> install();
  /// The names of captures that were there.
  std::vector<std::string> uninstall();
  std::vector<CaptureFinding> check();

  /// Whose triggers are there, in this definition or another.
  [[nodiscard]] std::vector<std::string> installed_captures() const;

 private:
  struct Wanted {
    const TableCapture* capture;
    std::string sql;
    std::vector<std::string> triggers;
    std::vector<std::string> unseen;
  };
  bool is_meant(const std::string& name) const;
  Wanted wanted(const TableCapture& capture) const;
  std::string remove_sql(const std::vector<std::string>& names) const;
  std::vector<std::string> problems_of(const Wanted& wanted) const;
  void require_outbox() const;

  const CaptureConfig& captures_;
  const OutboxConfig& outbox_;
  CaptureDatabase& database_;
  const std::vector<std::string> names_;
  const std::vector<InstalledTrigger> installed_;
};

}  // namespace action_triggers::detail
