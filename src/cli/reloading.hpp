// SPDX-License-Identifier: MIT
/// SIGHUP of a relay, or of a command that reads lines: it loads its configuration again.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "action_triggers/config.hpp"
#include "action_triggers/stats.hpp"

namespace action_triggers::cli {

class Reloading {
 public:
  /// What is done with the file's new configuration. What it throws is said on standard error.
  using Use = std::function<void(const Config& config)>;

  explicit Reloading(std::string file) : file_(std::move(file)) {}
  ~Reloading() { end(); }
  Reloading(const Reloading&) = delete;
  Reloading& operator=(const Reloading&) = delete;

  /// Reloads soon; before begin(), when that comes. Any thread.
  void ask();

  /// Before begin(): reloads here and now if it was asked to.
  void take(const Use& use);
  /// From now on reloads, on a thread of its own, so that nothing waits for it. What happened goes to standard error.
  void begin(Use use);
  /// Waits for a reload that is under way. Nothing is reloaded any more.
  void end();

  /// The dispatcher's, and files that could not be loaded, of which it does not know.
  [[nodiscard]] Stats added_to(Stats stats) const;

 private:
  void run(const Use& use);
  void reload(const Use& use);

  const std::string file_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool asked_ = false;  // under mutex_, as is what follows
  bool ended_ = false;
  std::uint64_t unloadable_ = 0;
  std::string last_unloadable_;  // why the latest one was
  std::thread thread_;
};

}  // namespace action_triggers::cli
