// SPDX-License-Identifier: MIT
/// What a command line says of the message that a command sends.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "action_triggers/message.hpp"

namespace action_triggers::cli {

struct MessageOptions {
  std::string key;
  std::vector<std::string> headers;  // NAME=VALUE
  std::string content_type;
  std::string id;
};

/// The message that the options describe, without its body; nothing, and a line on standard error, if they are wrong.
std::optional<Message> message_of(const MessageOptions& options);

/// A payload from a file, "-" for standard input; without a line end at its end, which editors add. Nothing, and a line
/// on standard error, if it cannot be read.
std::optional<std::string> read_payload(const std::string& file);

}  // namespace action_triggers::cli
