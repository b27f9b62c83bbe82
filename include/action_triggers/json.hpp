// SPDX-License-Identifier: MIT
/// Optional: fire nlohmann::json values. Including this header needs nlohmann_json (and its compile time).
///
///     dispatcher.fire("orders", nlohmann::json{{"order", 42}});
#pragma once

#include <nlohmann/json.hpp>

#include "action_triggers/trigger_dispatcher.hpp"

namespace action_triggers {

/// The value as compact JSON text with content type application/json. Invalid UTF-8 is replaced by U+FFFD.
template <>
struct MessageConverter<nlohmann::json> {
  static Message to_message(const nlohmann::json& value) {
    Message message;
    message.body = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    message.content_type = "application/json";
    return message;
  }
};

}  // namespace action_triggers
