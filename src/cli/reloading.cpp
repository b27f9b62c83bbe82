// SPDX-License-Identifier: MIT
#include "cli/reloading.hpp"

#include <exception>
#include <iostream>
#include <sstream>
#include <utility>

#include "cli/load.hpp"

namespace action_triggers::cli {

void Reloading::ask() {
  const std::lock_guard lock(mutex_);
  asked_ = true;
  changed_.notify_all();
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

void Reloading::reload(const Use& use) const {
  std::ostringstream said;  // written at once, since others write as well
  bool reloaded = false;
  try {
    const Loaded loaded = read_config(file_);
    if (loaded.config) {
      use(*loaded.config);
      reloaded = true;
    } else {
      print_problems(file_, loaded, said);
    }
  } catch (const std::exception& error) {
    said << "action-triggers: " << error.what() << '\n';
  }
  said << "action-triggers: " << file_
       << (reloaded ? " was reloaded\n" : " was not reloaded, the configuration before stays\n");
  std::cerr << said.str() << std::flush;
}

}  // namespace action_triggers::cli
