// SPDX-License-Identifier: MIT
/// What one AMQP channel knows of the messages published on it: which are unconfirmed, which were returned, and what
/// happens to messages that are sent again after trouble. Needs no socket: the broker feeds it with what arrives, and
/// asks it before it publishes.
///
/// How trouble is handled:
///
/// - ack: persisted. A message that was returned before its ack is `unroutable`.
/// - nack: the message is `rejected`, which is retryable, so the lane offers it again after a backoff. The queue behind
///   the default exchange is the only one, and it said no: not_persisted. Another exchange may have reached other
///   queues: possibly_persisted. Before a message is sent again, the channel is renewed (closed and opened), at most
///   once a second: a channel of RabbitMQ remembers which node led a quorum queue when it first published there. If
///   that node was already down and no other led yet, the channel refuses every later message as well, for as long as
///   it lives (3.10: rabbit_fifo_client, the registration of an enqueuer).
/// - the broker closes the channel: a channel.close names no message. If exactly one was unconfirmed, it is the cause:
///   it gets the reason, not_persisted. Otherwise all are `unavailable`, possibly_persisted, and from then on messages
///   that are sent again go one at a time, so that the cause becomes known.
/// - the connection is lost: all are `unavailable`, possibly_persisted, and the trouble above is forgotten.
///
/// Going alone and renewing need a channel on which nothing is unconfirmed. The destination that needs it first
/// reserves the channel for a second: no other destination publishes on it meanwhile, or it would never become empty.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "action_triggers/broker.hpp"

namespace action_triggers::detail {

class PublishChannel {
 public:
  enum class State : std::uint8_t {
    closed,
    open,
    closing,  ///< channel.close was sent, and is not confirmed
  };

  /// How a message is published.
  enum class Policy : std::uint8_t {
    normal,         ///< with others unconfirmed before and after it
    one_at_a_time,  ///< with nothing else unconfirmed
    renew_channel,  ///< on a channel that was opened after the last nack
  };

  /// The answer to offer().
  enum class Decision : std::uint8_t {
    publish,
    wait,           ///< offer it again later
    renew_channel,  ///< close the channel now, and offer the message again when it is open
  };

  enum class Confirmation : std::uint8_t { ack, nack };

  PublishChannel(std::uint16_t id, std::string exchange) : id_(id), exchange_(std::move(exchange)) {}

  [[nodiscard]] std::uint16_t id() const noexcept { return id_; }
  [[nodiscard]] const std::string& exchange() const noexcept { return exchange_; }
  [[nodiscard]] State state() const noexcept { return state_; }

  // The channel's life

  /// The connection is a new one: the channel is closed, and what went wrong on the last connection no longer counts.
  void reset();
  /// channel.open was sent. Nothing may be unconfirmed; delivery tags begin at 1 again.
  void opened();
  /// channel.close was sent. Nothing may be unconfirmed.
  void close_sent() { state_ = State::closing; }
  /// channel.close-ok arrived. False: it was not waited for, the broker has closed the channel at the same time.
  [[nodiscard]] bool close_confirmed();
  /// The broker closed the channel, for the reason `why`. Completes everything unconfirmed. Returns the destination of
  /// the message that was the cause, if that is known.
  std::optional<std::size_t> closed_by_broker(const Status& why, BrokerEvents& events);
  /// The channel is gone for another reason. Completes everything unconfirmed as possibly persisted.
  void lost(const Status& why, BrokerEvents& events);
  /// Serves another exchange from now on. Nothing may be unconfirmed.
  void use_for(std::string exchange);

  // Publishing

  /// Whether `message` may be published now. Call it of an open channel only.
  [[nodiscard]] Decision offer(const OutboundMessage& message, TimePoint now);
  /// `message` was published, after offer() allowed it.
  void published(const OutboundMessage& message);
  [[nodiscard]] std::size_t unconfirmed() const noexcept { return waiting_; }
  /// Whether a confirmation speaks of the message that was published last.
  [[nodiscard]] bool is_of_newest(std::uint64_t tag, bool multiple) const noexcept {
    return tag >= first_tag_ + window_.size() - 1 || (multiple && tag == 0);
  }
  /// The destination was removed; its index may be used for another one.
  void forget_destination(std::size_t index);

  // What the broker answers. A status that is not ok says how the broker has broken the protocol.

  /// `multiple`: also of every unconfirmed message before this one; a tag of 0 then means all of them.
  [[nodiscard]] Status confirmed(std::uint64_t tag, bool multiple, Confirmation confirmation, BrokerEvents& events);
  /// basic.return. The message's header and body follow, in pieces, before anything else on this channel.
  void return_begins(int reply_code, std::string_view reply_text, std::string_view routing_key);
  [[nodiscard]] Status return_header(std::string_view message_id, std::uint64_t body_size);
  [[nodiscard]] Status return_body(std::size_t bytes);
  [[nodiscard]] bool in_return() const noexcept { return return_.has_value(); }

 private:
  struct Unconfirmed {
    const OutboundMessage* message;  // nullptr: was completed, and others before it were not
    std::optional<Status> returned;
  };

  /// A returned message of which the last piece has not arrived.
  struct Return {
    std::string text;
    std::string message_id;
    std::optional<std::uint64_t> body_left;  // set by the header
  };

  [[nodiscard]] Policy policy_for(const OutboundMessage& message, TimePoint now) const;
  [[nodiscard]] Unconfirmed* find_returned(const Return& returned);
  void finish_return();
  void complete(Unconfirmed& entry, Confirmation confirmation, BrokerEvents& events);
  void fail_unconfirmed(const Status& why, Persistence persistence, BrokerEvents& events);

  const std::uint16_t id_;
  std::string exchange_;
  State state_ = State::closed;

  std::deque<Unconfirmed> window_;  // in order of their delivery tags
  std::uint64_t first_tag_ = 1;     // of window_.front()
  std::size_t waiting_ = 0;         // entries of window_ that are not completed
  std::optional<Return> return_;

  bool closed_by_error_ = false;  // since the connection was made: messages that are sent again go one at a time
  bool alone_ = false;            // the message in window_ is one of them
  bool nacked_ = false;           // since the channel was renewed
  TimePoint renewed_at_;
  struct Reservation {
    std::size_t destination;
    TimePoint until;
  };
  std::optional<Reservation> reservation_;
};

}  // namespace action_triggers::detail
