// SPDX-License-Identifier: MIT
/// Optional: fire nlohmann::json values. Including this header needs nlohmann_json (and its compile time).
///
///     dispatcher.fire("orders", nlohmann::json{{"order", 42}});
///     dispatcher.fire("orders", at::json_message(order, "order-42"));  // with a key
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "action_triggers/trigger_dispatcher.hpp"

namespace action_triggers {

/// A message of compact JSON text with content type application/json. Invalid UTF-8 is replaced by U+FFFD.
template <class Json>
Message json_message(const Json& value, Text key = {}) {
  Message message;
  message.body = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  message.key = std::move(key);
  message.content_type = "application/json";
  return message;
}

template <>
struct MessageConverter<nlohmann::json> {
  static Message to_message(const nlohmann::json& value) { return json_message(value); }
};
template <>
struct MessageConverter<nlohmann::ordered_json> {
  static Message to_message(const nlohmann::ordered_json& value) { return json_message(value); }
};

}  // namespace action_triggers
