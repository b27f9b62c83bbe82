// SPDX-License-Identifier: MIT
/// What conditions and templates see of one event.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "action_triggers/message.hpp"
#include "triggers/payload_json.hpp"

namespace action_triggers::detail {

/// What emit() was given, and what it decided. Owns nothing.
struct EventParts {
  std::string_view name{};
  std::string_view id{};  ///< Its text.
  std::chrono::sys_time<std::chrono::milliseconds> time{};
  std::string_view body{};
  const Message* message = nullptr;  ///< Key and headers; nullptr: there are none. Its body is not looked at.
};

/// One event. The payload is read as JSON when somebody looks into it for the first time, and only then.
///
/// Threads: one at a time. What it was made of must live longer.
class EventView {
 public:
  /// `json` holds the payload once it is read; a thread uses the same one for all its events, which saves allocations.
  /// `is_json`: what reading the payload into `json` said, if somebody has done that already.
  EventView(const EventParts& parts, PayloadJson& json, std::optional<bool> is_json = std::nullopt) noexcept
      : parts_(parts), json_(json), state_(is_json ? state_of(*is_json) : State::unread) {}

  [[nodiscard]] std::string_view name() const noexcept { return parts_.name; }
  [[nodiscard]] std::string_view id() const noexcept { return parts_.id; }
  [[nodiscard]] std::chrono::sys_time<std::chrono::milliseconds> time() const noexcept { return parts_.time; }
  [[nodiscard]] std::string_view body() const noexcept { return parts_.body; }
  [[nodiscard]] const Message* message() const noexcept { return parts_.message; }  ///< As EventParts has it.
  /// Empty: it has none.
  [[nodiscard]] std::string_view key() const noexcept {
    return parts_.message == nullptr ? std::string_view() : std::string_view(parts_.message->key);
  }
  /// The last one of this name; nullptr: it has none.
  [[nodiscard]] const Header* header(std::string_view name) const noexcept {
    if (parts_.message == nullptr) return nullptr;
    const auto& headers = parts_.message->headers;
    const auto found = std::find_if(headers.rbegin(), headers.rend(),
                                    [&](const Header& header) { return std::string_view(header.name) == name; });
    return found == headers.rend() ? nullptr : &*found;
  }

  /// The payload; nullptr: it is not JSON, as json_error() says.
  [[nodiscard]] const PayloadJson* json() {
    if (state_ == State::unread) state_ = state_of(json_.read(parts_.body));
    return state_ == State::json ? &json_ : nullptr;
  }
  /// A sentence with the place. Only after json() was nullptr.
  [[nodiscard]] std::string json_error() const {
    return "The payload is not JSON at byte " + std::to_string(json_.error().offset) + ": " + json_.error().text;
  }

 private:
  enum class State : std::uint8_t { unread, json, no_json };
  static State state_of(bool is_json) noexcept { return is_json ? State::json : State::no_json; }

  const EventParts parts_;
  PayloadJson& json_;
  State state_;
};

}  // namespace action_triggers::detail
