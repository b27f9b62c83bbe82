// SPDX-License-Identifier: MIT
/// Reloads a dispatcher when its configuration file changes.
///
///     at::TriggerDispatcher dispatcher(at::load_config("brokers.json"));
///     at::ConfigWatcher watcher(dispatcher, "brokers.json");
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "action_triggers/config.hpp"
#include "action_triggers/export.hpp"
#include "action_triggers/reload_report.hpp"

namespace action_triggers {

class TriggerDispatcher;

struct ConfigWatcherOptions {
  ConfigOptions config{};  ///< As the file was loaded with the first time.

  /// How long the file must have been left alone: an editor writes it in several steps.
  std::chrono::milliseconds settle{200};

  /// Called after each reload, on the watcher's thread: with an empty `error` it has succeeded, otherwise the
  /// configuration before stays. Exceptions are ignored. Must not destroy the watcher.
  std::function<void(const ReloadReport& report, const std::string& error)> on_reload{};
};

/// Watches the file, whatever it is replaced by (editors rename, Kubernetes swaps a symbolic link), and the files that
/// its `${file:…}` read. What happened also goes to the dispatcher's log and stats(): reloads, failed_reloads,
/// last_reload_error. Has a thread of its own. In a child of fork() it does nothing.
class ACTION_TRIGGERS_EXPORT ConfigWatcher {
 public:
  /// The dispatcher outlives this: declare it before. Throws std::system_error without a thread or descriptor. The file
  /// need not be there.
  ConfigWatcher(TriggerDispatcher& dispatcher, std::string path, ConfigWatcherOptions options = {});
  ~ConfigWatcher();  ///< Waits for a reload that is under way.
  ConfigWatcher(const ConfigWatcher&) = delete;
  ConfigWatcher& operator=(const ConfigWatcher&) = delete;

  /// Reloads soon, whether the file has changed or not. Any thread, and a signal handler (SIGHUP).
  void reload_now() noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace action_triggers
