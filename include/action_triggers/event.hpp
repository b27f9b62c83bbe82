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

/// Makes the messages that an event sends; none: it sends nothing.
///
///     [](const at::Event& event) -> std::vector<at::AddressedMessage> {
///       return {{"orders_" + region_of(event.payload), event.copy()}};
///     }
///
/// Runs inside emit(), on its thread and on several at once, and should be short: reload() and off() wait for it. It
/// may fire and emit, but not wait for messages; nor may it wait for a lock that is held during reload() or off().
/// What it throws is reported, and never leaves emit().
using EventFunction = std::function<std::vector<AddressedMessage>(const Event& event)>;

}  // namespace action_triggers
