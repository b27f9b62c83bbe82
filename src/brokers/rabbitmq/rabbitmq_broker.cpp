// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/rabbitmq_broker.hpp"

#include <stdexcept>
#include <utility>

#include "brokers/rabbitmq/rabbitmq_type.hpp"

namespace action_triggers::detail {
namespace {

constexpr amqp_channel_t control_channel = 1;
constexpr amqp_channel_t first_publish_channel = 2;
constexpr std::chrono::seconds good_host_time{1};  // a host that ends connections sooner is not tried first again

using Kind = Declarations::Kind;

}  // namespace

RabbitMqBroker::RabbitMqBroker(const RabbitMqConfig& config)
    : config_(config), channels_(first_publish_channel), declarations_(*this, control_channel) {}

RabbitMqBroker::~RabbitMqBroker() = default;

// Destinations

void RabbitMqBroker::start(const LaneContext& context) {
  waker_ = context.waker;
  for (std::size_t i = 0; i < context.destinations.size(); ++i) add_destination(*context.destinations[i], i);
}

void RabbitMqBroker::add_destination(const BrokerConfig& config, std::size_t index) {
  const RabbitMqConfig& added = config_as<RabbitMqConfig>(config, "RabbitMQ");
  const std::size_t channel = channels_.add_user(added.exchange);
  if (index >= targets_.size()) targets_.resize(index + 1);
  targets_[index] = {.config = &added, .channel = channel};
  declarations_.set_queue(index, added);
  declarations_.set_exchange(channel, added.exchange);
  if (!connection_) return;
  // As in on_connected(): the first message should not have to wait for it.
  if (added.declare) declarations_.request({Kind::queue, index});
  if (channels_[channel].state() == PublishChannel::State::closed) prepare_channel(channel);
}

/// If a channel is to be closed, it may be used again before that is confirmed: it is then opened for its next
/// exchange.
void RabbitMqBroker::remove_destination(std::size_t index) {
  const std::size_t at = targets_[index].channel;
  targets_[index].config = nullptr;
  declarations_.remove({Kind::queue, index});
  channels_[at].forget_destination(index);
  channels_.remove_user(at);
  if (channels_.is_used(at)) return;
  declarations_.remove({Kind::exchange, at});
  if (connection_ && channels_[at].state() == PublishChannel::State::open) {
    close_channel(channels_[at], "no longer used");
  }
}

// Connection

void RabbitMqBroker::connect(BrokerEvents& /*events*/) {
  connector_ = std::make_unique<AmqpConnector>(config_, host_, [waker = *waker_] { waker.wake(); });
}

void RabbitMqBroker::on_connected(AmqpHandle handle, BrokerEvents& events) {
  connection_.emplace(std::move(handle), to_string(config_.hosts[host_]), config_.tls.has_value());
  connected_at_ = events.now();
  blocked_ = false;
  declarations_.reset();
  // Ask for everything now: the first message should not have to wait for it.
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (targets_[i].config != nullptr && targets_[i].config->declare) declarations_.request({Kind::queue, i});
  }
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    channels_[i].reset();
    if (channels_.is_used(i)) prepare_channel(i);
  }
  events.log(LogLevel::info, "connected to " + to_string(config_.hosts[host_]));
  events.connected();
}

/// The lane sends again what was unconfirmed, in order, over the next connection.
void RabbitMqBroker::lose_connection(BrokerEvents& events) {
  const Status why = connection_->error();
  connection_.reset();
  fail_all({StatusCode::unavailable, why.message()}, events);
  if (events.now() - connected_at_ < good_host_time) host_ = (host_ + 1) % config_.hosts.size();
  events.disconnected(why);
}

void RabbitMqBroker::fail_all(const Status& why, BrokerEvents& events) {
  for (std::size_t i = 0; i < channels_.size(); ++i) channels_[i].lost(why, events);
}

// Channels

/// Opens a closed channel, or asks first whether its exchange exists. The default exchange cannot be missing.
void RabbitMqBroker::prepare_channel(std::size_t index) {
  if (channels_[index].exchange().empty()) {
    open_channel(channels_[index]);
  } else {
    declarations_.request({Kind::exchange, index});
  }
}

/// What is published next goes right behind: a broker takes the methods of a channel in order, so it waits for neither
/// of the two answers. If the broker refuses, it closes the connection, and the messages come back with it.
void RabbitMqBroker::open_channel(PublishChannel& channel) {
  amqp_channel_open_t open{.out_of_band = amqp_empty_bytes};
  amqp_confirm_select_t select{};
  channel.opened();
  send_method(channel.id(), AMQP_CHANNEL_OPEN_METHOD, &open);
  send_method(channel.id(), AMQP_CONFIRM_SELECT_METHOD, &select);
}

void RabbitMqBroker::close_channel(PublishChannel& channel, std::string_view why) {
  amqp_channel_close_t close{};
  close.reply_code = AMQP_REPLY_SUCCESS;
  close.reply_text = to_amqp(why);
  channel.close_sent();
  send_method(channel.id(), AMQP_CHANNEL_CLOSE_METHOD, &close);
}

void RabbitMqBroker::send_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded) {
  connection_->send_method(channel, method, decoded);
}

void RabbitMqBroker::exchange_exists(std::size_t index) { open_channel(channels_[index]); }

// Publishing

const Status* RabbitMqBroker::refused(std::size_t destination, TimePoint now) const {
  if (const Status* status = declarations_.refused({Kind::queue, destination}, now)) return status;
  return declarations_.refused({Kind::exchange, targets_[destination].channel}, now);
}

/// Whether the channel can take this message now. If not, what is missing has been asked for.
bool RabbitMqBroker::may_publish(const OutboundMessage& message, TimePoint now) {
  const std::size_t destination = message.destination_index();
  if (!declarations_.exists({Kind::queue, destination})) {
    declarations_.request({Kind::queue, destination});
    return false;
  }
  PublishChannel& channel = channels_[targets_[destination].channel];
  if (channel.state() != PublishChannel::State::open) {
    if (channel.state() == PublishChannel::State::closed) prepare_channel(targets_[destination].channel);
    return false;
  }
  switch (channel.offer(message, now)) {
    case PublishChannel::Decision::publish:
      return true;
    case PublishChannel::Decision::renew_channel:
      close_channel(channel, "to be opened again");
      return false;
    case PublishChannel::Decision::wait:
      break;
  }
  return false;
}

std::size_t RabbitMqBroker::send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) {
  if (!connection_ || !connection_->error().ok()) return 0;
  const std::size_t destination = batch.front()->destination_index();
  const TimePoint now = events.now();
  if (const Status* found = refused(destination, now)) {
    const Status status = *found;
    for (const OutboundMessage* message : batch) events.complete(*message, Outcome::failed(status));
    return batch.size();
  }
  if (blocked_) {
    events.full();
    return 0;
  }
  const RabbitMqConfig& config = *targets_[destination].config;
  PublishChannel& channel = channels_[targets_[destination].channel];
  std::size_t taken = 0;
  for (; taken < batch.size() && connection_->error().ok(); ++taken) {
    const OutboundMessage& message = *batch[taken];
    if (!may_publish(message, now)) break;
    if (auto problem = check_message(config, message, connection_->frame_max())) {
      events.complete(message, Outcome::failed(std::move(*problem)));
      continue;
    }
    using Room = OutgoingFrames::Room;
    if (const Room room = connection_->room_for(channel.id(), message.body().size() + envelope_estimate);
        room != Room::yes) {
      if (room == Room::none) events.full();
      break;
    }
    channel.published(message);
    connection_->publish(channel.id(), encoder_.encode(config, message));
  }
  connection_->finish_publishing();
  return taken;
}

// Reading

void RabbitMqBroker::poll(BrokerEvents& events) {
  last_poll_ = events.now();
  if (connector_) {
    AmqpConnector::Result result;
    if (!connector_->take(result)) return;
    connector_.reset();
    host_ = result.host_index;
    if (!result.status.ok()) {
      host_ = (host_ + 1) % config_.hosts.size();
      events.disconnected(result.status);
      return;
    }
    on_connected(std::move(result.connection), events);
  }
  if (!connection_) return;
  if (connection_->error().ok()) connection_->read_frames(frame_handler(events));
  if (!connection_->error().ok()) lose_connection(events);
}

AmqpConnection::FrameHandler RabbitMqBroker::frame_handler(BrokerEvents& events) {
  return [this, &events](const amqp_frame_t& frame) { on_frame(frame, events); };
}

void RabbitMqBroker::on_frame(const amqp_frame_t& frame, BrokerEvents& events) {
  PublishChannel* const channel = channels_.find(frame.channel);
  if (frame.frame_type == AMQP_FRAME_HEADER || frame.frame_type == AMQP_FRAME_BODY) {
    if (channel != nullptr) on_returned_message(*channel, frame);
    return;
  }
  if (frame.frame_type != AMQP_FRAME_METHOD) return;
  const amqp_method_t& method = frame.payload.method;
  if (frame.channel == 0) {
    on_connection_method(method, events);
  } else if (frame.channel == control_channel) {
    declarations_.on_method(method, events.now());
  } else if (channel == nullptr) {
    connection_->fail("the broker spoke on channel " + std::to_string(frame.channel) + ", which was never opened");
  } else if (channel->in_return()) {
    connection_->fail("the broker sent something else in the middle of a returned message");
  } else {
    on_publish_method(*channel, method, events);
  }
}

void RabbitMqBroker::on_connection_method(const amqp_method_t& method, BrokerEvents& events) {
  if (method.id == AMQP_CONNECTION_BLOCKED_METHOD) {
    const auto& blocked = *static_cast<const amqp_connection_blocked_t*>(method.decoded);
    blocked_ = true;
    connection_->set_blocked(true);
    const std::string why = "RabbitMQ has blocked publishers: " + std::string(from_amqp(blocked.reason));
    events.log(LogLevel::warning, why);
    events.blocked(true, why);
  } else if (method.id == AMQP_CONNECTION_UNBLOCKED_METHOD) {
    blocked_ = false;
    connection_->set_blocked(false);
    events.log(LogLevel::info, "RabbitMQ takes messages again");
    events.blocked(false, {});
  }
}

void RabbitMqBroker::on_publish_method(PublishChannel& channel, const amqp_method_t& method, BrokerEvents& events) {
  using Confirmation = PublishChannel::Confirmation;
  Status status;
  const auto confirmed = [&](std::uint64_t tag, bool multiple, Confirmation confirmation) -> Status {
    if (connection_->is_writing(channel.id()) && channel.is_of_newest(tag, multiple)) {
      return {StatusCode::unavailable, "the broker confirmed a message that it has only got in part"};
    }
    return channel.confirmed(tag, multiple, confirmation, events);
  };
  switch (method.id) {
    case AMQP_BASIC_ACK_METHOD: {
      const auto& ack = *static_cast<const amqp_basic_ack_t*>(method.decoded);
      status = confirmed(ack.delivery_tag, ack.multiple != 0, Confirmation::ack);
      break;
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto& nack = *static_cast<const amqp_basic_nack_t*>(method.decoded);
      status = confirmed(nack.delivery_tag, nack.multiple != 0, Confirmation::nack);
      break;
    }
    case AMQP_BASIC_RETURN_METHOD: {
      const auto& back = *static_cast<const amqp_basic_return_t*>(method.decoded);
      channel.return_begins(back.reply_code, from_amqp(back.reply_text), from_amqp(back.routing_key));
      break;
    }
    case AMQP_CHANNEL_CLOSE_METHOD:
      on_channel_closed(channel, *static_cast<const amqp_channel_close_t*>(method.decoded), events);
      break;
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
      on_channel_close_confirmed(channel);
      break;
    default:
      break;
  }
  if (!status.ok()) connection_->fail(status.message());
}

void RabbitMqBroker::on_returned_message(PublishChannel& channel, const amqp_frame_t& frame) {
  Status status;
  if (frame.frame_type == AMQP_FRAME_HEADER) {
    const auto& properties = *static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded);
    const bool has_id = (properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0;
    status = channel.return_header(has_id ? from_amqp(properties.message_id) : std::string_view(),
                                   frame.payload.properties.body_size);
  } else {
    status = channel.return_body(frame.payload.body_fragment.len);
  }
  if (!status.ok()) connection_->fail(status.message());
}

void RabbitMqBroker::on_channel_closed(PublishChannel& channel, const amqp_channel_close_t& close,
                                       BrokerEvents& events) {
  amqp_channel_close_ok_t close_ok{};
  send_method(channel.id(), AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok);
  const Status status = status_of_close(close.reply_code, from_amqp(close.reply_text));
  const auto cause = channel.closed_by_broker(status, events);
  if (cause && close.reply_code == AMQP_ACCESS_REFUSED) {
    declarations_.refuse({Kind::queue, *cause}, status, events.now());
  }
}

void RabbitMqBroker::on_channel_close_confirmed(PublishChannel& channel) {
  const std::size_t index = channels_.index_of(channel);
  if (channel.close_confirmed() && channels_.is_used(index)) prepare_channel(index);
}

// Waiting and closing

WaitRequest RabbitMqBroker::wait_request() const {
  WaitRequest request;
  if (!connection_) return request;  // the connector wakes the lane
  request.fd = connection_->fd();
  request.writable = connection_->wants_writable();
  if (!connection_->error().ok() || connection_->more_to_read()) {
    request.at = last_poll_;
  } else if (const auto interval = connection_->read_interval()) {
    request.at = last_poll_ + *interval;
  }
  return request;
}

void RabbitMqBroker::close(BrokerEvents& events, std::chrono::milliseconds timeout) {
  connector_.reset();
  if (!connection_) return;
  connection_->close(timeout, frame_handler(events));
  fail_all({StatusCode::unavailable, "the connection was closed before the broker confirmed"}, events);
  connection_.reset();
}

std::unique_ptr<Broker> make_rabbitmq(const BrokerConfig& config) {
  return std::make_unique<RabbitMqBroker>(config_as<RabbitMqConfig>(config, "RabbitMQ"));
}

}  // namespace action_triggers::detail
