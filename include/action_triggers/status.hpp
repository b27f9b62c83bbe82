// SPDX-License-Identifier: MIT
/// What became of a message, or of any call that can fail because of a broker.
///
/// A Status is a value: a canonical code to decide on, and a text for people that says what happened and what to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

#include "action_triggers/export.hpp"

namespace action_triggers {

/// The outcome of a fire. `ok` means confirmed by the broker, nothing less. Of two codes that fit, take the first.
enum class StatusCode : std::uint8_t {
  /// Confirmed by the broker.
  ok,

  /// This message cannot be sent as it is, whatever the broker's state: an invalid name, a key or header over its
  /// limit. For a body over a limit prefer `too_large`.
  invalid_argument,

  /// What the message is addressed to does not exist: no destination of that name, no such exchange or topic. For an
  /// exchange that exists, and that no queue is bound to, prefer `unroutable`.
  not_found,

  /// The exchange took the message, no queue did.
  unroutable,

  /// The broker refused the message for now: a nack, not enough replicas. Retried automatically. For a refusal that
  /// will be repeated until somebody acts, prefer `permission_denied`, `too_large` or `invalid_argument`.
  rejected,

  /// Over the client library's or the broker's limit for one message.
  too_large,

  /// The destination is full (max_queued_messages, max_queued_bytes). The broker has not seen the message.
  queue_full,

  /// The broker does not accept the credentials, and waiting does not change that.
  unauthenticated,

  /// The credentials are accepted, and do not allow this.
  permission_denied,

  /// No connection, or lost before the confirmation. Retried automatically, until retry.max_attempts is used up.
  unavailable,

  /// The deadline came first; the text says what the message was waiting for. Set by the lane, never by a Broker.
  timed_out,

  /// Fired after close(), or left over when close() ran out of time. Set by the lane, never by a Broker.
  closed,

  /// A bug, or an error of the client library that fits nothing above.
  internal,

  /// Fired in a CommitScope that was rolled back: no broker has seen the message. What the application asked for, and
  /// so no failure: on_failure does not hear of it. Never set by a Broker.
  rolled_back,
};

inline constexpr std::size_t status_code_count = 14;

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

  /// Whether the same message may succeed at another attempt although nobody has changed anything: `rejected` and
  /// `unavailable`. A lane retries these, and those of retry.on, until the message's deadline or retry.max_attempts.
  [[nodiscard]] bool retryable() const noexcept {
    return code_ == StatusCode::rejected || code_ == StatusCode::unavailable;
  }

  /// Whether the message itself is at fault, so that it fails wherever and whenever it is fired again:
  /// `invalid_argument` and `too_large`. Neither retryable nor permanent: somebody has to act (make a queue, grant a
  /// right), and the same message may succeed then.
  [[nodiscard]] bool permanent() const noexcept {
    return code_ == StatusCode::invalid_argument || code_ == StatusCode::too_large;
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
