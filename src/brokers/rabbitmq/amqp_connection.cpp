// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/amqp_connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "action_triggers/broker.hpp"

namespace action_triggers::detail {
namespace {

constexpr int most_frames_per_read = 2'000;  // then other work of the lane has its turn
constexpr std::chrono::milliseconds write_patience{3'000};
constexpr std::chrono::milliseconds close_patience{500};

/// How much of the heartbeat interval may pass between two reads. rabbitmq-c sends and checks heartbeats inside its
/// reads only; with less than half, none is late by half an interval, and the server gives up after two.
constexpr double heartbeat_share = 0.45;

}  // namespace

AmqpConnection::AmqpConnection(AmqpHandle handle, std::string host, bool tls)
    : handle_(std::move(handle)), host_(std::move(host)), tls_(tls), watchdog_(write_patience) {}

void AmqpConnection::fail(std::string why) {
  if (error_.ok()) error_ = Status(StatusCode::unavailable, std::move(why));
}

std::size_t AmqpConnection::frame_max() const noexcept {
  return static_cast<std::size_t>(amqp_get_frame_max(handle_.get()));
}

std::optional<std::chrono::milliseconds> AmqpConnection::read_interval() const noexcept {
  const std::chrono::seconds heartbeat(amqp_get_heartbeat(handle_.get()));
  if (heartbeat <= heartbeat.zero()) return std::nullopt;
  return std::chrono::round<std::chrono::milliseconds>(heartbeat * heartbeat_share);
}

// Writing

void AmqpConnection::send_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded) {
  if (!error_.ok()) return;
  // Beneath TLS a write may have to read first.
  const bool may_block = tls_ || !socket_is_writable();
  if (may_block) watchdog_.arm(fd());
  const int result = amqp_send_method(handle_.get(), channel, method, decoded);
  if (may_block) watchdog_.disarm();
  if (result != AMQP_STATUS_OK) fail(std::string("writing to the broker: ") + amqp_error_string2(result));
}

/// True: the socket takes `write_step` bytes without blocking.
bool AmqpConnection::socket_is_writable() const {
  pollfd poll{.fd = fd(), .events = POLLOUT, .revents = 0};
  return ::poll(&poll, 1, 0) == 1 && (poll.revents & POLLOUT) != 0;
}

bool AmqpConnection::may_write() {
  if (socket_is_writable()) {
    write_budget_ = write_step;
    return true;
  }
  wants_writable_ = true;
  return false;
}

bool AmqpConnection::reserve(std::size_t bytes) {
  if (write_budget_ < bytes) {
    write_buffer();
    if (!error_.ok() || !may_write()) return false;
  }
  write_budget_ -= std::min(write_budget_, bytes);  // a message may be larger than what is left
  return true;
}

void AmqpConnection::publish(amqp_channel_t channel, Publish& publish) {
  const auto fits = [&] { return !tls_ && buffer_.add(channel, publish, frame_max() - frame_overhead); };
  if (fits()) return;
  write_buffer();
  if (!error_.ok() || fits()) return;
  // rabbitmq-c marks the last part of a body that fills its frames exactly as "more to come" (MSG_MORE); uncorking
  // sends it.
  set_cork(true);
  watchdog_.arm(fd());
  const int result = amqp_basic_publish(handle_.get(), channel, publish.method.exchange, publish.method.routing_key,
                                        publish.method.mandatory, 0, &publish.properties, to_amqp(publish.body));
  watchdog_.disarm();
  if (result != AMQP_STATUS_OK) fail(std::string("publishing: ") + amqp_error_string2(result));
}

void AmqpConnection::finish_publishing() {
  write_buffer();
  set_cork(false);
}

void AmqpConnection::write_buffer() {
  if (buffer_.empty()) return;
  if (const std::error_code error = buffer_.write_to(fd(), watchdog_)) fail("publishing: " + error.message());
}

/// While it is on, the kernel keeps frames that rabbitmq-c writes one by one together in full packets.
void AmqpConnection::set_cork(bool on) {
  if (corked_ == on) return;
  corked_ = on;
  const int value = on ? 1 : 0;
  setsockopt(fd(), IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

// Reading

void AmqpConnection::read_frames(const FrameHandler& on_frame) {
  wants_writable_ = false;
  more_to_read_ = true;
  std::vector<amqp_channel_t> touched;
  const timeval no_wait{};
  for (int i = 0; i < most_frames_per_read && error_.ok(); ++i) {
    amqp_frame_t frame{};
    const int result = amqp_simple_wait_frame_noblock(handle_.get(), &frame, &no_wait);
    if (result == AMQP_STATUS_TIMEOUT) {
      more_to_read_ = false;
      break;
    }
    if (result != AMQP_STATUS_OK) {
      fail(host_ + ": " + amqp_error_string2(result));
      return;  // after an error rabbitmq-c's state is not to be touched
    }
    if (!handle_close(frame)) on_frame(frame);
    if (touched.empty() || touched.back() != frame.channel) touched.push_back(frame.channel);
  }
  // Not amqp_maybe_release_buffers(): that one walks every channel.
  for (const amqp_channel_t channel : touched) amqp_maybe_release_buffers_on_channel(handle_.get(), channel);
}

/// False: the frame is another one.
bool AmqpConnection::handle_close(const amqp_frame_t& frame) {
  if (frame.channel != 0 || frame.frame_type != AMQP_FRAME_METHOD) return false;
  const amqp_method_t& method = frame.payload.method;
  if (method.id == AMQP_CONNECTION_CLOSE_OK_METHOD) {
    close_confirmed_ = true;
    return true;
  }
  if (method.id != AMQP_CONNECTION_CLOSE_METHOD) return false;
  const auto& close = *static_cast<const amqp_connection_close_t*>(method.decoded);
  const Status why = status_of_close(close.reply_code, from_amqp(close.reply_text));
  amqp_connection_close_ok_t close_ok{};
  send_method(0, AMQP_CONNECTION_CLOSE_OK_METHOD, &close_ok);
  // The server's reason says more than why it cannot be answered. Whatever it is: the next connection tells whether it
  // still holds, so the messages are to be sent again.
  error_ = Status(StatusCode::unavailable, why.message());
  return true;
}

// Closing

void AmqpConnection::close(std::chrono::milliseconds timeout, const FrameHandler& on_frame) {
  if (!error_.ok() || !may_write()) return;
  amqp_connection_close_t goodbye{};
  goodbye.reply_code = AMQP_REPLY_SUCCESS;
  goodbye.reply_text = amqp_cstring_bytes("closed by the application");
  send_method(0, AMQP_CONNECTION_CLOSE_METHOD, &goodbye);
  const TimePoint deadline = Clock::now() + std::min(timeout, close_patience);
  while (!close_confirmed_ && error_.ok() && Clock::now() < deadline) {
    pollfd poll{.fd = fd(), .events = POLLIN, .revents = 0};
    if (!more_to_read_) ::poll(&poll, 1, 10);
    read_frames(on_frame);  // confirmations that were on their way still count
  }
}

}  // namespace action_triggers::detail
