// SPDX-License-Identifier: MIT
/// One connection to a RabbitMQ server, from login to close: what is written to its socket and read from it.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "action_triggers/clock.hpp"
#include "brokers/rabbitmq/amqp.hpp"
#include "brokers/rabbitmq/outgoing_frames.hpp"

struct ssl_st;  // OpenSSL's SSL

namespace action_triggers::detail {

/// After the first error the connection is of no more use, and error() says why: rabbitmq-c's state must not be touched
/// then. Later calls do nothing.
///
/// Nothing blocks. What is sent waits in OutgoingFrames until the socket takes it. rabbitmq-c only reads: its writes
/// would block, also those of its heartbeats, so that these are sent and checked here.
class AmqpConnection {
 public:
  /// Called for every frame but connection.close and its answer. The frame is valid during the call.
  using FrameHandler = std::function<void(const amqp_frame_t& frame)>;

  /// `host` stands at the beginning of every error's text.
  AmqpConnection(AmqpHandle handle, std::string host, bool tls);

  [[nodiscard]] const Status& error() const noexcept { return error_; }
  /// The peer has broken the protocol. The first error stays.
  void fail(const std::string& why);
  /// The peer is there, and does not answer. As fail(), and given_up() is true then.
  void give_up(const std::string& why);
  [[nodiscard]] bool given_up() const noexcept { return given_up_; }
  /// The method with which the broker explains why it has closed the connection; 0: none.
  [[nodiscard]] amqp_method_number_t blamed_method() const noexcept { return blamed_method_; }
  /// Whether the error is that the peer allows no more channels.
  [[nodiscard]] bool has_too_many_channels() const noexcept { return has_too_many_channels_; }

  [[nodiscard]] int fd() const noexcept { return amqp_get_sockfd(handle_.get()); }
  [[nodiscard]] std::size_t frame_max() const noexcept;

  /// False: it does not fit a frame, and is not sent.
  bool send_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded);

  /// Whether a message of about so many bytes may be published on this channel now. If not, it may after a later read.
  [[nodiscard]] OutgoingFrames::Room room_for(amqp_channel_t channel, std::size_t bytes);
  /// Publishes, now or later. The body is referred to until is_writing(channel) is false, or there is an error. False:
  /// what stands before the body does not fit a frame, and nothing is sent.
  [[nodiscard]] bool publish(amqp_channel_t channel, Publish& publish);
  /// What was published is written now, as far as the socket takes it.
  void finish_publishing() { write(); }
  /// Whether the last message published on this channel has not left its memory as a whole.
  [[nodiscard]] bool is_writing(amqp_channel_t channel) const noexcept { return outgoing_.is_writing(channel); }

  /// Whether the broker has said that it takes nothing for a while (connection.blocked). It is then not given up for
  /// taking nothing.
  void set_blocked(bool blocked);

  /// The shortest time that a message has from fire to outcome: a peer that has vanished is noticed in half of it, so
  /// that what was sent to it gets another try; but not within ten seconds.
  void set_shortest_timeout(std::chrono::milliseconds timeout);

  /// Goes on writing, and reads what has arrived, each up to a limit.
  void read_frames(const FrameHandler& on_frame);

  /// Says goodbye, and reads until the peer does so too or `timeout` has passed.
  void close(std::chrono::milliseconds timeout, const FrameHandler& on_frame);

  /// Whether the limit of read_frames() left something.
  [[nodiscard]] bool more_to_read() const noexcept { return more_to_read_; }
  [[nodiscard]] bool wants_writable() const noexcept { return !outgoing_.empty(); }
  /// How long after a read the next one is due, even if nothing arrives: for heartbeats. None: they are off.
  [[nodiscard]] std::optional<std::chrono::milliseconds> read_interval() const noexcept;

 private:
  void write();
  [[nodiscard]] std::size_t write_to_socket(std::string_view bytes);
  [[nodiscard]] std::size_t write_to_tls(std::string_view bytes);
  /// Something may have been read from the socket that is no frame yet.
  [[nodiscard]] bool holds_input() const;
  [[nodiscard]] bool has_input() const;
  void keep_alive(bool heard_something);
  [[nodiscard]] bool handle_close(const amqp_frame_t& frame);

  AmqpHandle handle_;
  const std::string host_;
  ssl_st* const ssl_;  // the handle's; nullptr: no TLS
  const std::chrono::seconds heartbeat_;
  std::chrono::milliseconds patience_;
  bool blocked_ = false;
  Status error_;
  amqp_method_number_t blamed_method_ = 0;

  OutgoingFrames outgoing_;
  bool more_to_read_ = false;
  bool close_confirmed_ = false;
  bool has_too_many_channels_ = false;
  bool given_up_ = false;
  TimePoint last_heard_ = Clock::now();
  TimePoint last_written_ = last_heard_;
};

}  // namespace action_triggers::detail
