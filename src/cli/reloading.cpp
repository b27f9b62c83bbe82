// SPDX-License-Identifier: MIT
#include "cli/reloading.hpp"

#include <exception>
#include <iostream>
#include <sstream>
#include <utility>

#include "cli/load.hpp"
#include "cli/systemd.hpp"
#include "config/problem_line.hpp"

namespace action_triggers::cli {

void Reloading::ask() {
  const std::lock_guard lock(mutex_);
  asked_ = true;
  changed_.notify_all();
}

void Reloading::take(const Use& use) {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(asked_, false)) return;
  }
  reload(use);
}

void Reloading::begin(Use use) {
  thread_ = std::thread([this, use = std::move(use)] { run(use); });
}

void Reloading::end() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Stats Reloading::added_to(Stats stats) const {
  const std::lock_guard lock(mutex_);
  stats.failed_reloads += unloadable_;
  if (!last_unloadable_.empty()) stats.last_reload_error = last_unloadable_;
  return stats;
}

void Reloading::run(const Use& use) {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return asked_ || ended_; });
    if (ended_) return;
    asked_ = false;
    lock.unlock();
    reload(use);
    lock.lock();
  }
}

void Reloading::reload(const Use& use) {
  tell_systemd("RELOADING=1");
  std::ostringstream said;  // written at once, since others write as well
  bool reloaded = false;
  try {
    const Loaded loaded = read_config(file_);
    if (loaded.config) {
      use(*loaded.config);
      reloaded = true;
    } else {
      print_problems(file_, loaded, said);
      const std::lock_guard lock(mutex_);
      ++unloadable_;
      last_unloadable_ = loaded.error->what();
    }
  } catch (const std::exception& error) {
    said << "action-triggers: " << detail::printable(error.what()) << '\n';
  }
  said << "action-triggers: " << file_
       << (reloaded ? " was reloaded\n" : " was not reloaded, the configuration before stays\n");
  std::cerr << said.str() << std::flush;
  tell_systemd("READY=1");
}

}  // namespace action_triggers::cli
