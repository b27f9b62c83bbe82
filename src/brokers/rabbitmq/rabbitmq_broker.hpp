// SPDX-License-Identifier: MIT
/// RabbitMQ over rabbitmq-c: pipelined publisher confirms, one connection a lane, one channel an exchange.
///
/// Exchanges have channels of their own because what is wrong with an exchange (missing, refused) closes a channel and
/// leaves everything unconfirmed on it unknown; queues behind the default exchange share one. Where the broker allows
/// fewer channels, exchanges share them. A destination in trouble
/// gets a channel of its own; and if one is not confirmed, the others leave it the channel and go on with a new one.
/// Nothing blocks: methods are sent, their answers arrive in poll().
///
/// This file takes frames to the parts that know what they mean:
///
/// - AmqpConnector: connects and logs in, in the background
/// - AmqpConnection: the socket, the first error, heartbeats
/// - ChannelLimit: how many channels there may be
/// - Declarations: queues to declare and exchanges that have to exist, on control channels
/// - DestinationChannels: which channel a destination is on; ExchangeChannels, which channels there are
/// - PublishChannel: what is unconfirmed or returned on a channel, and how much it takes
/// - Publisher: how a destination goes on after nacks and channel errors
/// - MessageEncoder: a message's properties and limits
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/broker.hpp"
#include "brokers/rabbitmq/amqp.hpp"
#include "brokers/rabbitmq/amqp_connection.hpp"
#include "brokers/rabbitmq/amqp_connector.hpp"
#include "brokers/rabbitmq/channel_limit.hpp"
#include "brokers/rabbitmq/declarations.hpp"
#include "brokers/rabbitmq/destination_channels.hpp"
#include "brokers/rabbitmq/message_encoder.hpp"

namespace action_triggers::detail {

class RabbitMqBroker final : public Broker, private Declarations::Owner, private DestinationChannels::Owner {
 public:
  explicit RabbitMqBroker(const RabbitMqConfig& config);
  ~RabbitMqBroker() override;

  void start(const LaneContext& context) override;
  /// `index`: the next one, or that of a destination that was removed.
  void add_destination(const BrokerConfig& config, std::size_t index) override;
  /// No message of it is in flight.
  void remove_destination(std::size_t index) override;
  void connect(BrokerEvents& events) override;
  std::size_t send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) override;
  void poll(BrokerEvents& events) override;
  [[nodiscard]] WaitRequest wait_request() const override;
  void close(BrokerEvents& events, std::chrono::milliseconds timeout) override;

 private:
  /// What a destination of the lane needs.
  struct Target {
    const RabbitMqConfig* config = nullptr;                    // nullptr: removed
    std::map<std::string, Refusal, std::less<>> refused_keys;  // routing keys that the user has no right to
  };

  void prepare(std::size_t destination, TimePoint now);

  // Connection
  void on_connected(AmqpHandle handle, BrokerEvents& events);
  void lose_connection(BrokerEvents& events);
  void set_patience();

  // Declarations::Owner, DestinationChannels::Owner
  bool send_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded) override;
  void exchange_exists(std::size_t index, TimePoint now) override;
  void times_begin(TimePoint now) override;

  // Publishing
  [[nodiscard]] const Status* refused(std::size_t destination, TimePoint now) const;
  [[nodiscard]] const Status* refused_key(std::size_t destination, std::string_view routing_key, TimePoint now) const;
  void refuse_key(std::size_t destination, std::string routing_key, const Status& status, TimePoint now);
  [[nodiscard]] bool have_to_ask(std::size_t destination, TimePoint now);
  [[nodiscard]] PublishChannel* channel_for(const OutboundMessage& message, TimePoint now);

  // Time
  void check_times(BrokerEvents& events);

  // Reading
  [[nodiscard]] AmqpConnection::FrameHandler frame_handler(BrokerEvents& events);
  void on_frame(const amqp_frame_t& frame, BrokerEvents& events);
  void on_connection_method(const amqp_method_t& method, BrokerEvents& events);
  void on_publish_method(PublishChannel& channel, const amqp_method_t& method, BrokerEvents& events);
  void on_returned_message(PublishChannel& channel, const amqp_frame_t& frame);
  void on_channel_closed(PublishChannel& channel, const amqp_channel_close_t& close, BrokerEvents& events);

  const RabbitMqConfig config_;
  std::optional<Waker> waker_;
  std::vector<Target> targets_;  // in destination_index order

  std::unique_ptr<AmqpConnector> connector_;  // while connecting
  std::size_t host_ = 0;                      // the one that is tried first
  TimePoint connected_at_;
  TimePoint confirmed_at_;  // or refused, the last message
  std::optional<AmqpConnection> connection_;
  bool blocked_ = false;                     // by the server: connection.blocked
  TimePoint last_poll_;                      // wait_request() counts from it
  TimePoint next_check_ = TimePoint::max();  // of what has a time limit
  ChannelLimit channel_limit_;
  amqp_channel_t first_publish_channel_ = 0;
  Declarations declarations_;
  DestinationChannels channels_;
  MessageEncoder encoder_;
};

}  // namespace action_triggers::detail
