/// Many basic.publish in one write.
#pragma once

#include <cstddef>
#include <string_view>
#include <system_error>
#include <vector>

#include "brokers/rabbitmq/amqp.hpp"
#include "brokers/rabbitmq/watchdog.hpp"

namespace action_triggers::detail {

constexpr std::size_t frame_overhead = 8;  // AMQP 0-9-1, 4.2.3

/// Collects the frames of small messages, encoded by rabbitmq-c, and writes them together. amqp_basic_publish() makes
/// three system calls of each message, which is most of what publishing costs. Not for TLS: rabbitmq-c has the only way
/// in there.
///
/// What is in it must be written before anything else is sent on the same channel.
class PublishBuffer {
 public:
  explicit PublishBuffer(std::size_t capacity) : bytes_(capacity) {}

  [[nodiscard]] bool empty() const noexcept { return used_ == 0; }

  /// False, and nothing changed: there is no room for it (now, or ever).
  bool add(amqp_channel_t channel, amqp_basic_publish_t& method, amqp_basic_properties_t& properties,
           std::string_view body, std::size_t frame_payload);

  /// Writes everything to the socket, waiting under the watchdog's eye while the peer takes nothing. Empty afterwards,
  /// even on an error.
  std::error_code write_to(int fd, Watchdog& watchdog);

 private:
  std::vector<char> bytes_;
  std::size_t used_ = 0;
};

}  // namespace action_triggers::detail
