// SPDX-License-Identifier: MIT
/// The test message of `ping --send`.
#pragma once

#include <chrono>
#include <random>
#include <string>

#include "base/message_id.hpp"

namespace action_triggers::detail {

constexpr const char* ping_header = "action-triggers-ping";  // marks the message, so that consumers can skip it

struct PingMessage {
  std::string id;
  std::string body;

  PingMessage() : id(MessageIdGenerator::text_size, ' ') {
    std::random_device device;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    MessageIdGenerator((static_cast<std::uint64_t>(device()) << 32U) | device())
        .write(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()),
               id.data());
    body = R"({"action_triggers_ping": ")" + id + "\"}";
  }
};

}  // namespace action_triggers::detail
