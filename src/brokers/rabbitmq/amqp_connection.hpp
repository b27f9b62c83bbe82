// SPDX-License-Identifier: MIT
/// One connection to a RabbitMQ server, from login to close: what is written to its socket and read from it.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "brokers/rabbitmq/amqp.hpp"
#include "brokers/rabbitmq/publish_buffer.hpp"
#include "brokers/rabbitmq/watchdog.hpp"

namespace action_triggers::detail {

/// After the first error the connection is of no more use, and error() says why: rabbitmq-c's state must not be touched
/// then. Later calls do nothing.
///
/// Methods and small messages are written when the socket takes them without blocking; see reserve(). What rabbitmq-c
/// writes itself may block nevertheless, and is guarded by a watchdog.
class AmqpConnection {
 public:
  /// Called for every frame but connection.close and its answer. The frame is valid during the call.
  using FrameHandler = std::function<void(const amqp_frame_t& frame)>;

  /// `host` is for texts of errors.
  AmqpConnection(AmqpHandle handle, std::string host, bool tls);

  [[nodiscard]] const Status& error() const noexcept { return error_; }
  /// The peer has broken the protocol. The first error stays.
  void fail(std::string why);

  [[nodiscard]] int fd() const noexcept { return amqp_get_sockfd(handle_.get()); }
  [[nodiscard]] std::size_t frame_max() const noexcept;

  void send_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded);

  /// Whether a message of about so many bytes may be published now. If not, the lane is to wait for a writable socket.
  [[nodiscard]] bool reserve(std::size_t bytes);
  /// Publishes now, or with finish_publishing(). Nothing else may be sent on this channel in between.
  void publish(amqp_channel_t channel, Publish& publish);
  void finish_publishing();

  /// Reads what has arrived, up to a limit.
  void read_frames(const FrameHandler& on_frame);

  /// Says goodbye, and reads until the peer does so too or `timeout` has passed.
  void close(std::chrono::milliseconds timeout, const FrameHandler& on_frame);

  /// Whether the limit of read_frames() left something.
  [[nodiscard]] bool more_to_read() const noexcept { return more_to_read_; }
  /// Whether reserve() has refused since frames were last read.
  [[nodiscard]] bool wants_writable() const noexcept { return wants_writable_; }
  /// How long after a read the next one is due, even if nothing arrives. None: heartbeats are off.
  [[nodiscard]] std::optional<std::chrono::milliseconds> read_interval() const noexcept;

 private:
  [[nodiscard]] bool socket_is_writable() const;
  [[nodiscard]] bool may_write();
  void write_buffer();
  void set_cork(bool on);
  [[nodiscard]] bool handle_close(const amqp_frame_t& frame);

  AmqpHandle handle_;
  const std::string host_;
  const bool tls_;
  Status error_;

  // A socket that polls writable has at least a third of its buffer free (Linux); this much fits in any buffer's third.
  static constexpr std::size_t write_step = 32UL * 1024UL;
  std::size_t write_budget_ = 0;      // bytes that the socket takes without blocking
  PublishBuffer buffer_{write_step};  // empty after finish_publishing()
  bool corked_ = false;
  bool wants_writable_ = false;
  bool more_to_read_ = false;
  bool close_confirmed_ = false;
  Watchdog watchdog_;
};

}  // namespace action_triggers::detail
