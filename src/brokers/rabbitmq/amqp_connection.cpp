// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/amqp_connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>
#include <vector>

#include "action_triggers/broker.hpp"
#include "brokers/rabbitmq/amqp_login.hpp"

namespace action_triggers::detail {
namespace {

// Then other work of the lane has its turn.
constexpr int most_frames_per_read = 2'000;
constexpr std::size_t most_bytes_per_write = 1UL << 20U;

constexpr std::chrono::milliseconds close_patience{500};

/// How much of the heartbeat interval may pass between two reads, and without a byte written. What is then written is
/// late by nine tenths of an interval at most; the server gives up after two.
constexpr double heartbeat_share = 0.45;

/// A peer that acknowledges nothing, or takes nothing, for so long is gone. The peer's kernel acknowledges, at once; to
/// take nothing is what a broker in trouble does for a while.
constexpr std::chrono::milliseconds least_patience{10'000};

std::chrono::milliseconds patience_with(std::chrono::seconds heartbeat) {
  return heartbeat > heartbeat.zero() ? 2 * heartbeat : std::chrono::minutes(1);
}

}  // namespace

AmqpConnection::AmqpConnection(AmqpHandle handle, std::string host, bool tls)
    : handle_(std::move(handle)),
      host_(std::move(host)),
      ssl_(tls ? ssl_of(handle_.get()) : nullptr),
      heartbeat_(amqp_get_heartbeat(handle_.get())),
      patience_(patience_with(heartbeat_)),
      outgoing_(frame_max()) {
  // Without a heartbeat rabbitmq-c never writes.
  const int result =
      amqp_tune_connection(handle_.get(), amqp_get_channel_max(handle_.get()), amqp_get_frame_max(handle_.get()), 0);
  if (result != AMQP_STATUS_OK) fail(amqp_error_string2(result));
  if (tls && ssl_ == nullptr) fail("the TLS session is not known");  // nothing is written after an error
  if (ssl_ != nullptr) SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  set_blocked(false);
}

void AmqpConnection::fail(const std::string& why) {
  if (error_.ok()) error_ = Status(StatusCode::unavailable, host_ + ": " + why);
}

void AmqpConnection::give_up(const std::string& why) {
  given_up_ = given_up_ || error_.ok();
  fail(why);
}

std::size_t AmqpConnection::frame_max() const noexcept {
  return static_cast<std::size_t>(amqp_get_frame_max(handle_.get()));
}

// The time, in which a peer that has vanished is noticed, is the kernel's; where heartbeats are on, they notice it too.
void AmqpConnection::set_blocked(bool blocked) {
  blocked_ = blocked;
  const auto limit_ms = static_cast<unsigned>(blocked ? 0 : patience_.count());  // 0: none
  setsockopt(fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof limit_ms);
}

void AmqpConnection::set_shortest_timeout(std::chrono::milliseconds timeout) {
  patience_ = std::min(patience_with(heartbeat_), std::max(timeout / 2, least_patience));
  set_blocked(blocked_);
}

// Writing

bool AmqpConnection::send_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded) {
  if (!error_.ok()) return true;
  if (is_writing(channel) && method != AMQP_CHANNEL_CLOSE_OK_METHOD) {
    // Only a peer that has closed the channel itself bears that a body ends early.
    fail("a channel was given up in the middle of a message");
    return true;
  }
  if (!outgoing_.add_method(channel, method, decoded)) return false;
  write();
  return true;
}

OutgoingFrames::Room AmqpConnection::room_for(amqp_channel_t channel, std::size_t bytes) {
  using Room = OutgoingFrames::Room;
  if (!error_.ok()) return Room::none;
  if (outgoing_.room_for(channel, bytes) == Room::yes) return Room::yes;
  write();
  return error_.ok() ? outgoing_.room_for(channel, bytes) : Room::none;
}

bool AmqpConnection::publish(amqp_channel_t channel, Publish& publish) {
  return !error_.ok() || outgoing_.add_publish(channel, publish);
}

void AmqpConnection::write() {
  for (std::size_t done = 0; done < most_bytes_per_write && error_.ok();) {
    const std::string_view next = outgoing_.next();
    if (next.empty()) return;
    const std::size_t size = ssl_ != nullptr ? write_to_tls(next) : write_to_socket(next);
    if (size == 0) return;
    outgoing_.written(size);
    done += size;
    last_written_ = Clock::now();
  }
}

/// How many bytes were written. 0: the socket takes none now, or there is an error.
std::size_t AmqpConnection::write_to_socket(std::string_view bytes) {
  for (;;) {
    const ssize_t size = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size >= 0) return static_cast<std::size_t>(size);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) {
      fail("writing: " + std::generic_category().message(errno));
      return 0;
    }
  }
}

std::size_t AmqpConnection::write_to_tls(std::string_view bytes) {
  ERR_clear_error();
  errno = 0;
  const int size = SSL_write(ssl_, bytes.data(),
                             static_cast<int>(std::min<std::size_t>(bytes.size(), std::numeric_limits<int>::max())));
  if (size > 0) return static_cast<std::size_t>(size);
  const int error = errno;
  const int reason = SSL_get_error(ssl_, size);
  // A write that has to read first goes on when something has arrived.
  if (reason != SSL_ERROR_WANT_WRITE && reason != SSL_ERROR_WANT_READ) {
    fail("writing: " + (error != 0 ? std::generic_category().message(error) : "TLS error"));
  }
  return 0;
}

// Reading

void AmqpConnection::read_frames(const FrameHandler& on_frame) {
  // What is not there is not read: that would be two system calls. But what TLS has read and not handed on yet does not
  // show on the socket; there, where much arrives, its frames tell that something was heard.
  const auto is_late = [&] { return heartbeat_ > heartbeat_.zero() && Clock::now() - last_heard_ > heartbeat_ * 0.25; };
  bool heard_something = (ssl_ == nullptr || is_late()) && has_input();
  write();
  more_to_read_ = heard_something || holds_input();
  std::vector<amqp_channel_t> touched;
  const timeval no_wait{};
  for (int i = 0; i < most_frames_per_read && more_to_read_ && error_.ok(); ++i) {
    amqp_frame_t frame{};
    errno = 0;
    const int result = amqp_simple_wait_frame_noblock(handle_.get(), &frame, &no_wait);
    if (result == AMQP_STATUS_TIMEOUT) {
      more_to_read_ = false;
      break;
    }
    if (result != AMQP_STATUS_OK) {
      fail(library_error_text(result));
      return;  // after an error rabbitmq-c's state is not to be touched
    }
    heard_something = true;
    if (!handle_close(frame)) on_frame(frame);
    if (touched.empty() || touched.back() != frame.channel) touched.push_back(frame.channel);
    more_to_read_ = holds_input();  // otherwise the socket says when there is more
  }
  // Not amqp_maybe_release_buffers(): that one walks every channel.
  for (const amqp_channel_t channel : touched) amqp_maybe_release_buffers_on_channel(handle_.get(), channel);
  keep_alive(heard_something);
}

bool AmqpConnection::holds_input() const {
  return ssl_ != nullptr || amqp_data_in_buffer(handle_.get()) || amqp_frames_enqueued(handle_.get());
}

bool AmqpConnection::has_input() const {
  pollfd poll{.fd = fd(), .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, 0) == 1;
}

/// Heartbeats: AMQP 0-9-1, 4.2.7. Any byte counts as one.
void AmqpConnection::keep_alive(bool heard_something) {
  if (heartbeat_ <= heartbeat_.zero() || !error_.ok()) return;
  const TimePoint now = Clock::now();
  if (heard_something) last_heard_ = now;
  if (now - last_heard_ > 2 * heartbeat_) {
    give_up("no heartbeat for " + std::to_string(2 * heartbeat_.count()) + " s");
  } else if (outgoing_.empty() && now - last_written_ >= heartbeat_ * heartbeat_share) {
    outgoing_.add_heartbeat();
    write();
  }
}

std::optional<std::chrono::milliseconds> AmqpConnection::read_interval() const noexcept {
  if (heartbeat_ <= heartbeat_.zero()) return std::nullopt;
  return std::chrono::round<std::chrono::milliseconds>(heartbeat_ * heartbeat_share);
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
  has_too_many_channels_ = is_channel_limit(close.reply_code, from_amqp(close.reply_text));
  blamed_method_ = static_cast<amqp_method_number_t>(close.class_id) << 16U | close.method_id;
  amqp_connection_close_ok_t close_ok{};
  send_method(0, AMQP_CONNECTION_CLOSE_OK_METHOD, &close_ok);
  // The server's reason says more than why it cannot be answered. Whatever it is: the next connection tells whether it
  // still holds, so the messages are to be sent again.
  error_ = Status(StatusCode::unavailable, host_ + ": " + why.message());
  return true;
}

// Closing

void AmqpConnection::close(std::chrono::milliseconds timeout, const FrameHandler& on_frame) {
  outgoing_.abandon_body();
  write();
  if (!error_.ok() || !outgoing_.empty()) return;
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
