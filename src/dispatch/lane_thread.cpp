// SPDX-License-Identifier: MIT
#include "dispatch/lane_thread.hpp"

#include <stdexcept>
#include <string>

namespace action_triggers::detail {

void refuse_on_lane_thread(const char* what) {
  if (on_lane_thread) {
    throw std::logic_error(std::string(what) +
                           " was called in a callback on a lane's thread, where waiting for a lane could never end; "
                           "do it on another thread, or set DispatcherOptions::executor");
  }
}

}  // namespace action_triggers::detail
