/// What became of a message, or of any call that can fail because of a broker.
///
/// A Status is a value: a canonical code to decide on, and a text for people that says what happened and what to do.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

#include "action_triggers/export.hpp"

namespace action_triggers {

/// The outcome of a fire. `ok` means confirmed by the broker, nothing less.
enum class StatusCode : std::uint8_t {
  ok,                 ///< Confirmed by the broker.
  invalid_argument,   ///< The message cannot be sent as it is (a key or header over its limit, an invalid name).
  not_found,          ///< No broker of that name; the exchange or topic does not exist.
  unroutable,         ///< The exchange took the message, no queue did.
  rejected,           ///< The broker refused it (nack, not enough replicas). Tried again by itself.
  too_large,          ///< Over the client's or the broker's limit.
  queue_full,         ///< Over the bounds of this named broker (max_queued_messages, max_queued_bytes).
  unauthenticated,    ///< Wrong credentials.
  permission_denied,  ///< The credentials are right, the rights are missing.
  unavailable,        ///< No connection, and retry.max_attempts used up. Tried again by itself until then.
  timed_out,          ///< The deadline came first; the text says what the message was waiting for.
  closed,             ///< Fired after close(), or left over when close() ran out of time.
  internal,           ///< A bug, or an error of the client library that has no better name.
};

inline constexpr std::size_t status_code_count = 13;

/// The code's name as written above: "ok", "timed_out", …
ACTION_TRIGGERS_EXPORT std::string_view to_string(StatusCode code) noexcept;

/// A code and a text. Cheap to copy when ok.
class [[nodiscard]] ACTION_TRIGGERS_EXPORT Status {
 public:
  Status() = default;  ///< ok
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] bool ok() const noexcept { return code_ == StatusCode::ok; }
  [[nodiscard]] StatusCode code() const noexcept { return code_; }

  /// For people: what happened, and the way out where there is one. Empty when ok. Never contains a secret.
  [[nodiscard]] const std::string& message() const noexcept { return message_; }

  /// Whether trying the same message again may succeed without anyone changing anything: `rejected` and `unavailable`.
  /// A lane retries exactly these by itself until the message's deadline or retry.max_attempts.
  [[nodiscard]] bool retryable() const noexcept {
    return code_ == StatusCode::rejected || code_ == StatusCode::unavailable;
  }

  /// "code: message", or "ok".
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Status&, const Status&) = default;

 private:
  StatusCode code_ = StatusCode::ok;
  std::string message_;
};

/// Whether the broker has the message. After a failure `possibly_persisted` means that a copy may have arrived
/// (its confirmation did not), so firing again may duplicate it; duplicates carry the same message id only
/// if the application sets Message::id.
enum class Persistence : std::uint8_t { not_persisted, possibly_persisted, persisted };

ACTION_TRIGGERS_EXPORT std::string_view to_string(Persistence persistence) noexcept;

ACTION_TRIGGERS_EXPORT std::ostream& operator<<(std::ostream& out, StatusCode code);
ACTION_TRIGGERS_EXPORT std::ostream& operator<<(std::ostream& out, const Status& status);
ACTION_TRIGGERS_EXPORT std::ostream& operator<<(std::ostream& out, Persistence persistence);

}  // namespace action_triggers
