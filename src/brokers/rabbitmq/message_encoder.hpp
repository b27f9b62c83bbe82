// SPDX-License-Identifier: MIT
/// A message as AMQP 0-9-1 has it: what basic.publish says, the properties, and the frames of both and of the body.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "action_triggers/broker.hpp"
#include "brokers/rabbitmq/amqp.hpp"
#include "brokers/rabbitmq/header_lists.hpp"

namespace action_triggers::detail {

constexpr std::size_t frame_overhead = 8;       // AMQP 0-9-1, 4.2.3: type, channel, size and end
constexpr std::size_t envelope_estimate = 512;  // method and header frames without the application's headers

/// What rabbitmq-c's encoders read. Everything is referred to, nothing copied.
struct Publish {
  amqp_basic_publish_t method{};
  amqp_basic_properties_t properties{};
  std::string_view body;
};

// A property and the flag that says that it is set.
void set_message_id(amqp_basic_properties_t& properties, std::string_view id);
void set_content_type(amqp_basic_properties_t& properties, std::string_view content_type);
void set_headers(amqp_basic_properties_t& properties, std::span<amqp_table_entry_t> entries);

/// The routing key of a message with this key, as the configuration has it. Refers to both.
std::string_view routing_key_of(const RabbitMqConfig& config, std::string_view key);
/// Where it goes. Refers to both.
amqp_basic_publish_t publish_method(const RabbitMqConfig& config, std::string_view key);

/// Why AMQP cannot carry the message, if it cannot. rabbitmq-c would cut what is too long.
std::optional<Status> check_message(const RabbitMqConfig& config, const OutboundMessage& message);
/// The same of a message that encode_envelope() could not encode.
Status headers_fit_no_frame(std::size_t frame_max);

/// What is sent of its body.
std::string_view body_of(const OutboundMessage& message);

/// The id of a message that came back; empty: it has none.
std::string_view message_id_of(const amqp_basic_properties_t& properties);
/// Whether a message that came back with these properties may be this one, as far as its headers and most properties
/// tell.
bool agree(const amqp_basic_properties_t& returned, const OutboundMessage& sent);

class MessageEncoder {
 public:
  /// Refers to `config`, `message` and the encoder; valid until the next call.
  Publish& encode(const RabbitMqConfig& config, const OutboundMessage& message);

 private:
  Publish publish_;
  std::vector<amqp_table_entry_t> headers_;
  HeaderLists lists_;
  char expiration_[24] = {};
};

// Frames. Each function writes to the front of `to`, and returns how many bytes it has written. 0: they do not fit, or
// not AMQP's limits.

std::size_t encode_method(std::span<char> to, amqp_channel_t channel, amqp_method_number_t method, void* decoded);
/// What stands before a message's body: the frames of basic.publish and of the properties, each of at most `frame_max`
/// bytes.
std::size_t encode_envelope(std::span<char> to, std::size_t frame_max, amqp_channel_t channel, Publish& publish);
/// One frame of a body.
std::size_t encode_body(std::span<char> to, amqp_channel_t channel, std::string_view part);
std::size_t encode_heartbeat(std::span<char> to);

}  // namespace action_triggers::detail
