// SPDX-License-Identifier: MIT
/// What a function for events sees, and what it returns: for TriggerDispatcher::on().
#pragma once

#include <chrono>
#include <functional>
#include <string_view>
#include <vector>

#include "action_triggers/export.hpp"
#include "action_triggers/message.hpp"

namespace action_triggers {

/// One event, as a view: what it shows is valid during the call.
struct ACTION_TRIGGERS_EXPORT Event {
  std::string_view name{};
  std::string_view id{};  ///< That all messages of the event have: Message::id, or the UUIDv7 that emit() made for it.
  std::chrono::sys_time<std::chrono::milliseconds> time{};  ///< When emit() looked at the clock for it.
  std::string_view payload{};                               ///< Byte for byte; often JSON, which nobody has checked.
  /// What came with the payload: key, headers and the rest; its body may be empty. nullptr: the payload came alone.
  const Message* message = nullptr;

  /// All of it as a message, to change it and send it: payload, key, headers and the rest, and the event's id.
  [[nodiscard]] Message copy() const;
};

/// A message, and the destination (an entry of the brokers map) that it goes to. Without an id of its own it gets the
/// event's; a consumer that drops duplicates wants another one where one destination gets several.
struct AddressedMessage {
  Text destination{};
  Message message{};
};

/// A trigger in C++, for what a configuration cannot say: makes the messages that an event sends; none: it is filtered.
///
///     dispatcher.on("order.*", [](const at::Event& event) -> std::vector<at::AddressedMessage> {
///       return {{"orders_" + region_of(event.payload), event.copy()}};
///     });
///
/// Its messages are deliveries of the Emission, after those of the configuration's triggers, in the order in which the
/// functions were given to on(). A destination that there is not is reported `not_found`. What it throws never leaves
/// emit(): that is one report, `invalid_argument`, of no destination. It stays across reload(), until off().
///
/// Threads: inside emit(), on its thread, and so on several at once. reload(), on() and off() wait until it returns: it
/// should be short, may fire and emit, must not wait for messages (Delivery::wait() throws), nor for a lock that is
/// held during one of those.
using EventFunction = std::function<std::vector<AddressedMessage>(const Event& event)>;

}  // namespace action_triggers
