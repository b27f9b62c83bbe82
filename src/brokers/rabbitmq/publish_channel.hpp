// SPDX-License-Identifier: MIT
/// What one AMQP channel knows of the messages published on it: which are unconfirmed, which were returned, and how
/// many more it takes. Needs no socket: the broker feeds it with what arrives, and asks it before it publishes.
///
/// What becomes of a message:
///
/// - ack: persisted. A message that was returned before its ack is `unroutable`, unless its queue is one that is
///   declared here: then it is sent again after the queue was declared again.
/// - nack: `rejected`, which is retryable, and possibly_persisted: RabbitMQ also nacks what a queue's process had
///   written before it died. Before it is sent again its destination gets a new channel, at most once a second
///   (publisher.hpp says why). A message that was returned before keeps the return's outcome.
/// - the broker closes the channel: a channel.close names no message. If exactly one was unconfirmed, it is the cause
///   and gets the reason. Otherwise all are `unavailable`, possibly_persisted, and Publisher finds the cause.
/// - nothing is confirmed for seconds though others' messages are there, too: RabbitMQ's channel waits for one queue (a
///   quorum queue without a leader, when a channel first publishes there; rabbit_fifo_client) and does nothing for the
///   others. All are `unavailable`, possibly_persisted, and go on apart.
/// - the connection is lost: all are `unavailable`, possibly_persisted.
///
/// Which message a return speaks of: it has no delivery tag, and the message's id is the application's, which need not
/// be unique. But returns come in the order of publishing, each before the ack of its message, and with all that was
/// sent: exchange, routing key, properties, headers and body. The first unconfirmed message after the last returned one
/// that agrees in all of these is it. If two agree in all, they are the same message for every consumer, and for the
/// broker.
///
/// How much a channel takes: RabbitMQ stops reading from a *connection* when one of its channels has 200 to 400
/// messages which a queue does not take (credit_flow). So not more than 200 follow an unconfirmed message until
/// confirmations come; with each one it may be one more. While nothing is confirmed for longer than usual, it is 200.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "action_triggers/broker.hpp"
#include "brokers/rabbitmq/amqp.hpp"
#include "brokers/rabbitmq/publisher.hpp"

namespace action_triggers::detail {

class PublishChannel {
 public:
  enum class State : std::uint8_t {
    closed,
    open,     ///< channel.open was sent; what is published follows it
    closing,  ///< channel.close was sent, and is not confirmed
  };

  enum class Confirmation : std::uint8_t { ack, nack };

  /// How a message was published.
  struct Routing {
    std::string_view exchange{};  ///< Valid as long as the message is; so are `key` and `declares`.
    std::string_view key;
    bool mandatory = true;
    const RabbitMqConfig* declares = nullptr;  ///< May declare a queue that gets it: looked at if it is returned.
  };

  /// The message that made the broker close the channel.
  struct Cause {
    std::size_t destination;
    std::string routing_key;
  };

  /// So many messages may follow one that the broker does not confirm without stopping the whole connection.
  static constexpr std::size_t safe_window = 200;
  /// For a confirmation.
  static constexpr std::chrono::seconds longest_wait{30};

  /// `publishers` outlives this, and has every destination that publishes.
  PublishChannel(std::uint16_t id, Publishers& publishers) : id_(id), publishers_(publishers) {}

  [[nodiscard]] std::uint16_t id() const noexcept { return id_; }
  [[nodiscard]] State state() const noexcept { return state_; }

  // The channel's life

  /// channel.open was sent. Nothing may be unconfirmed; delivery tags begin at 1 again.
  void opened(TimePoint now);
  /// channel.open-ok arrived.
  void open_confirmed(TimePoint now) noexcept {
    open_is_confirmed_ = true;
    answered_at_ = now;
  }
  /// channel.close was sent. Nothing may be unconfirmed.
  void close_sent(TimePoint now);
  /// channel.close-ok arrived. False: it was not waited for, the broker has closed the channel at the same time.
  [[nodiscard]] bool close_confirmed();
  /// The broker closed the channel, for the reason `why`. Completes everything unconfirmed; `persistence` is that of
  /// the cause. Returns the cause, if it is known.
  std::optional<Cause> closed_by_broker(const Status& why, Persistence persistence, BrokerEvents& events);
  /// It holds up one destination for another one (is_held_up()), and is given up. Completes everything unconfirmed;
  /// each destination goes on alone.
  void given_up(const Status& why, BrokerEvents& events);
  /// The channel is gone for another reason. Completes everything unconfirmed as possibly persisted.
  void lost(const Status& why, BrokerEvents& events);

  // Publishing

  /// Whether one more message may be published.
  [[nodiscard]] bool has_room(TimePoint now) const { return window_.size() < (stalled(now) ? safe_window : limit_); }
  /// `message` was published.
  void published(const OutboundMessage& message, const Routing& routing, TimePoint now);
  [[nodiscard]] std::size_t unconfirmed() const noexcept { return waiting_; }
  /// Whether a confirmation speaks of the message that was published last.
  [[nodiscard]] bool is_of_newest(std::uint64_t tag, bool multiple) const noexcept {
    return tag >= first_tag_ + window_.size() - 1 || (multiple && tag == 0);
  }

  // Time

  /// The oldest unconfirmed message has waited for longer than is usual.
  [[nodiscard]] bool stalled(TimePoint now) const;
  /// More messages follow it than is safe: the broker may have stopped reading.
  [[nodiscard]] bool over_safe_window() const noexcept { return window_.size() > safe_window; }
  /// The oldest unconfirmed message has waited for so long that it may never be confirmed.
  [[nodiscard]] bool is_hopeless(TimePoint now) const;
  /// Messages of several destinations wait, and nothing at all was confirmed for longer than any queue should take.
  [[nodiscard]] bool is_held_up(TimePoint now) const;
  /// Something waits since then, and nothing was confirmed.
  [[nodiscard]] TimePoint silent_since() const noexcept { return silent_since_; }
  /// When the broker last confirmed something on it, or its opening.
  [[nodiscard]] TimePoint answered_at() const noexcept { return answered_at_; }
  /// Since when it is open.
  [[nodiscard]] TimePoint opened_at() const noexcept { return opened_at_; }
  /// channel.open has had no answer for long: the broker does not read.
  [[nodiscard]] bool is_unanswered(TimePoint now) const;
  /// channel.close has had no answer for so long that there may be none.
  [[nodiscard]] bool is_unclosed(TimePoint now) const;
  /// Something of the above may become true.
  [[nodiscard]] bool has_times() const noexcept {
    return waiting_ > 0 || (state_ == State::open && !open_is_confirmed_) || state_ == State::closing;
  }
  /// The broker has said that it takes nothing: time begins to count now.
  void restart_times(TimePoint now) noexcept { progress_at_ = silent_since_ = opened_at_ = close_sent_at_ = now; }

  // What the broker answers. A status that is not ok says how the broker has broken the protocol.

  /// `multiple`: also of every unconfirmed message before this one; a tag of 0 then means all of them.
  [[nodiscard]] Status confirmed(std::uint64_t tag, bool multiple, Confirmation confirmation, BrokerEvents& events);
  /// basic.return. The message's header and body follow, in pieces, before anything else on this channel.
  void return_begins(int reply_code, std::string_view reply_text, std::string_view exchange,
                     std::string_view routing_key);
  [[nodiscard]] Status return_header(const amqp_basic_properties_t& properties, std::uint64_t body_size);
  [[nodiscard]] Status return_body(std::string_view bytes);
  [[nodiscard]] bool in_return() const noexcept { return return_.has_value(); }
  /// A destination whose declared queue was found to be gone, since the last call.
  [[nodiscard]] std::optional<std::size_t> take_gone_queue() { return std::exchange(gone_queue_, std::nullopt); }

 private:
  struct Unconfirmed {
    const OutboundMessage* message;  // nullptr: was completed, and others before it were not
    Routing routing;
    std::optional<Status> returned;
  };

  /// A returned message of which the last piece has not arrived.
  struct Return {
    std::string text;
    std::string exchange;
    std::string routing_key;
    std::vector<std::size_t> candidates;  // in window_
    std::uint64_t body_size = 0;
    std::optional<std::uint64_t> body_left;  // set by the header
  };

  void find_candidates(const amqp_basic_properties_t& properties);
  [[nodiscard]] Status finish_return();
  void complete(Unconfirmed& entry, Confirmation confirmation, BrokerEvents& events);
  [[nodiscard]] std::map<std::size_t, std::size_t> waiting_by_destination() const;
  void fail_unconfirmed(const Status& why, Persistence persistence, BrokerEvents& events);
  /// As possibly persisted; each of their destinations may be why.
  void fail_and_suspect(const Status& why, BrokerEvents& events);

  const std::uint16_t id_;
  Publishers& publishers_;
  State state_ = State::closed;
  bool open_is_confirmed_ = false;
  TimePoint opened_at_;
  TimePoint close_sent_at_;

  std::deque<Unconfirmed> window_;  // in order of their delivery tags
  std::uint64_t first_tag_ = 1;     // of window_.front()
  std::size_t waiting_ = 0;         // entries of window_ that are not completed
  std::size_t limit_ = safe_window;
  TimePoint progress_at_;  // since then window_.front() is the oldest
  TimePoint silent_since_;
  TimePoint answered_at_ = TimePoint::min();
  std::optional<Return> return_;
  std::uint64_t last_returned_tag_ = 0;
  std::optional<std::size_t> gone_queue_;
};

}  // namespace action_triggers::detail
