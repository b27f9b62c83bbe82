// SPDX-License-Identifier: MIT
#include "dispatch/lane_thread.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>

#include "base/fork.hpp"
#include "base/readers.hpp"

namespace action_triggers::detail {
namespace {

thread_local const Callbacks* lane_of = nullptr;
thread_local std::uint32_t process = 0;  // fork_generation() then

}  // namespace

void become_lane_thread_of(const Callbacks& dispatcher) noexcept {
  lane_of = &dispatcher;
  process = fork_generation();
}

bool on_lane_thread_of(const Callbacks& dispatcher) noexcept {
  return lane_of == &dispatcher && process == fork_generation();
}

void refuse_inside_fire(const char* what) {
  if (is_reading()) {
    throw std::logic_error(std::string(what) +
                           " was called inside fire() or emit(), in a function for events or a callback, and a reload "
                           "that waits for those would hold it up; do it when they have returned");
  }
}

void refuse_on_lane_thread_of(const Callbacks& dispatcher, const char* what) {
  if (on_lane_thread_of(dispatcher)) {
    throw std::logic_error(std::string(what) +
                           " was called in a callback on a lane's thread of the same dispatcher, where waiting for a "
                           "lane could never end; do it on another thread, or set DispatcherOptions::executor");
  }
}

}  // namespace action_triggers::detail
