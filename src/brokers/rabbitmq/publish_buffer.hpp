// SPDX-License-Identifier: MIT
/// Many basic.publish in one write.
#pragma once

#include <cstddef>
#include <system_error>
#include <vector>

#include "brokers/rabbitmq/message_encoder.hpp"
#include "brokers/rabbitmq/watchdog.hpp"

namespace action_triggers::detail {

/// Collects the frames of small messages and writes them together. amqp_basic_publish() makes three system calls of
/// each message, which is most of what publishing costs. Not for TLS, where only rabbitmq-c can encrypt.
///
/// What is in it must be written before anything else is sent on the same channel.
class PublishBuffer {
 public:
  explicit PublishBuffer(std::size_t capacity) : bytes_(capacity) {}

  [[nodiscard]] bool empty() const noexcept { return used_ == 0; }

  /// False, and nothing changed: it does not fit, now or ever. `frame_payload`: what the body may have.
  bool add(amqp_channel_t channel, Publish& publish, std::size_t frame_payload);

  /// Writes everything to the socket, guarded by the watchdog while the peer takes nothing. Empty afterwards, even on
  /// an error.
  std::error_code write_to(int fd, Watchdog& watchdog);

 private:
  std::vector<char> bytes_;
  std::size_t used_ = 0;
};

}  // namespace action_triggers::detail
