// SPDX-License-Identifier: MIT
/// What the log has of a connection's failures: each once, until there was a connection or another failure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "action_triggers/log.hpp"

namespace action_triggers::detail {

class ConnectionLog {
 public:
  /// `log` throws nothing.
  explicit ConnectionLog(const std::function<void(LogLevel, std::string_view)>& log) : log_(log) {}

  /// Throws std::bad_alloc, as does connected().
  void failed(const char* what, const std::string& why) {
    if (why == last_) {
      ++repeated_;
      return;
    }
    const std::string more =
        repeated_ == 0 ? "" : " (the failure before came " + std::to_string(repeated_) + " times more)";
    log_(LogLevel::warning, std::string(what) + ": " + why + more);
    repeated_ = 0;
    last_ = why;
  }

  void connected() {
    if (last_.empty()) return;
    if (repeated_ > 0) {
      log_(LogLevel::info, "connected, after the same failure " + std::to_string(repeated_) + " times more");
    }
    repeated_ = 0;
    last_.clear();
  }

 private:
  const std::function<void(LogLevel, std::string_view)>& log_;
  std::string last_;
  std::uint64_t repeated_ = 0;
};

}  // namespace action_triggers::detail
