// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/publish_buffer.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace action_triggers::detail {

bool PublishBuffer::add(amqp_channel_t channel, Publish& publish, std::size_t frame_payload) {
  if (publish.body.size() > frame_payload) return false;
  const std::size_t size = encode_frames(std::span(bytes_).subspan(used_), channel, publish);
  used_ += size;
  return size > 0;
}

std::error_code PublishBuffer::write_to(int fd, Watchdog& watchdog) {
  const std::size_t size = std::exchange(used_, 0);
  std::size_t written = 0;
  while (written < size) {
    const ssize_t result = ::send(fd, bytes_.data() + written, size - written, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (result >= 0) {
      written += static_cast<std::size_t>(result);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
      watchdog.arm(fd);
      ::poll(&writable, 1, -1);
      watchdog.disarm();
    } else if (errno != EINTR) {
      return {errno, std::generic_category()};
    }
  }
  return {};
}

}  // namespace action_triggers::detail
