// SPDX-License-Identifier: MIT
/// The test message of `ping --send`.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/message_id.hpp"
#include "base/random_seed.hpp"

namespace action_triggers::detail {

constexpr const char* ping_header = "action-triggers-ping";  // marks the message, so that consumers can skip it

struct PingMessage {
  std::string id;
  std::string body;

  PingMessage() : id(MessageId::text_size, ' ') {
    MessageIdGenerator(random_seed()).next(static_cast<std::uint64_t>(unix_ms())).write_text(id.data());
    body = R"({"action_triggers_ping": ")" + id + "\"}";
  }
};

}  // namespace action_triggers::detail
