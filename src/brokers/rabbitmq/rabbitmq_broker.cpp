// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/rabbitmq_broker.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "brokers/rabbitmq/rabbitmq_type.hpp"

namespace action_triggers::detail {
namespace {

constexpr amqp_channel_t first_publish_channel = Declarations::last_control_channel + 1;
constexpr std::chrono::milliseconds check_interval{250};  // of what has a time limit, while there is something
constexpr std::chrono::seconds shared_at_least{2};        // or a broker that is slow would get channel after channel
constexpr std::chrono::seconds apart_at_least{10};        // then who is out of trouble shares a channel again
constexpr std::size_t most_refused_keys = 1'000;          // of a destination, then those are forgotten
constexpr std::chrono::seconds good_host_time{1};  // a host that ends connections sooner is not tried first again

using Kind = Declarations::Kind;

}  // namespace

RabbitMqBroker::RabbitMqBroker(const RabbitMqConfig& config)
    : config_(config), channels_(first_publish_channel, publishers_), declarations_(*this) {}

RabbitMqBroker::~RabbitMqBroker() = default;

// Destinations

void RabbitMqBroker::start(const LaneContext& context) {
  waker_ = context.waker;
  for (std::size_t i = 0; i < context.destinations.size(); ++i) add_destination(*context.destinations[i], i);
}

void RabbitMqBroker::add_destination(const BrokerConfig& config, std::size_t index) {
  const RabbitMqConfig& added = config_as<RabbitMqConfig>(config, "RabbitMQ");
  if (index >= targets_.size()) {
    targets_.resize(index + 1);
    publishers_.resize(index + 1);
  }
  Target& target = targets_[index];
  target = Target{};
  target.config = &added;
  target.exchange = channels_.add_user(added.exchange);
  publishers_[index].reset();
  declarations_.set_queue(index, added);
  declarations_.set_exchange(target.exchange, added.exchange);
  if (!connection_) return;
  // As in on_connected(): the first message should not have to wait for it.
  if (added.declare) declarations_.request({Kind::queue, index}, last_poll_);
  (void)enter(index, shared_channel(target.exchange, last_poll_), last_poll_);
}

void RabbitMqBroker::remove_destination(std::size_t index) {
  Target& target = targets_[index];
  target.config = nullptr;
  declarations_.remove({Kind::queue, index});
  channels_.remove_user(target.exchange);
  const std::optional<std::size_t> shared = channels_.shared(target.exchange);
  if (!channels_.is_used(target.exchange)) {
    declarations_.remove({Kind::exchange, target.exchange});
    channels_.share(target.exchange, std::nullopt);
  }
  if (!connection_) return;
  leave(index);
  if (shared) close_if_idle(*shared);
}

// Connection

void RabbitMqBroker::connect(BrokerEvents& /*events*/) {
  connector_ = std::make_unique<AmqpConnector>(config_, host_, [waker = *waker_] { waker.wake(); });
}

void RabbitMqBroker::on_connected(AmqpHandle handle, BrokerEvents& events) {
  const int channel_max = amqp_get_channel_max(handle.get());
  connection_.emplace(std::move(handle), to_string(config_.hosts[host_]), config_.tls.has_value());
  connected_at_ = events.now();
  blocked_ = false;
  next_check_ = TimePoint::max();
  declarations_.reset();
  channels_.reset(static_cast<std::uint16_t>(channel_max));
  // Ask for everything now: the first message should not have to wait for it.
  const TimePoint now = events.now();
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    targets_[i].channel.reset();
    targets_[i].refused_keys.clear();
    publishers_[i].reset();
    if (targets_[i].config == nullptr) continue;
    if (targets_[i].config->declare) declarations_.request({Kind::queue, i}, now);
    (void)enter(i, shared_channel(targets_[i].exchange, now), now);
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

/// The channel that destinations of the exchange share. If nothing is confirmed on it, it is left to those who wait
/// there, and the others get a new one.
std::optional<std::size_t> RabbitMqBroker::shared_channel(std::size_t exchange, TimePoint now) {
  const std::optional<std::size_t> shared = channels_.shared(exchange);
  if (shared) {
    const PublishChannel& channel = channels_[*shared];
    const bool is_left = channel.stalled(now) && now - channel.opened_at() >= shared_at_least;
    if (!is_left && channel.state() != PublishChannel::State::closing) return shared;
  }
  const std::optional<std::size_t> made = channels_.make(exchange);
  if (!made) return shared;
  channels_.share(exchange, made);
  if (shared) close_if_idle(*shared);
  prepare_channel(*made, now);
  return made;
}

/// False: there is no such channel. Nothing of the destination may be unconfirmed, or its order would be lost.
bool RabbitMqBroker::enter(std::size_t destination, std::optional<std::size_t> channel, TimePoint now) {
  Target& target = targets_[destination];
  if (!channel || channel == target.channel) return false;
  leave(destination);
  target.channel = channel;
  channels_.enter(*channel);
  if (channels_[*channel].state() == PublishChannel::State::closed) prepare_channel(*channel, now);
  return true;
}

void RabbitMqBroker::leave(std::size_t destination) {
  const std::optional<std::size_t> left = std::exchange(targets_[destination].channel, std::nullopt);
  if (!left) return;
  channels_.leave(*left);
  close_if_idle(*left);
}

void RabbitMqBroker::close_if_idle(std::size_t index) {
  if (!channels_.is_idle(index) || channels_[index].state() != PublishChannel::State::open) return;
  close_channel(channels_[index], "no longer used");
}

/// Opens a closed channel, or asks first whether its exchange exists. The default exchange cannot be missing.
void RabbitMqBroker::prepare_channel(std::size_t index, TimePoint now) {
  times_begin(now);
  if (channels_[index].exchange().empty()) {
    open_channel(channels_[index], now);
  } else {
    declarations_.request({Kind::exchange, channels_.exchange_of(index)}, now);
  }
}

/// What is published next goes right behind: a broker takes the methods of a channel in order, so it waits for neither
/// of the two answers. If the broker refuses, it closes the connection, and the messages come back with it.
void RabbitMqBroker::open_channel(PublishChannel& channel, TimePoint now) {
  amqp_channel_open_t open{.out_of_band = amqp_empty_bytes};
  amqp_confirm_select_t select{};
  channel.opened(now);
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

void RabbitMqBroker::exchange_exists(std::size_t index, TimePoint now) {
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (channels_.exchange_of(i) == index && !channels_.is_idle(i) &&
        channels_[i].state() == PublishChannel::State::closed) {
      open_channel(channels_[i], now);
    }
  }
}

// Publishing

const Status* RabbitMqBroker::refused(std::size_t destination, TimePoint now) const {
  if (const Status* status = declarations_.refused({Kind::queue, destination}, now)) return status;
  return declarations_.refused({Kind::exchange, targets_[destination].exchange}, now);
}

const Status* RabbitMqBroker::refused_key(std::size_t destination, std::string_view routing_key, TimePoint now) const {
  const auto& keys = targets_[destination].refused_keys;
  const auto found = keys.find(routing_key);
  return found == keys.end() ? nullptr : found->second.at(now);
}

void RabbitMqBroker::refuse_key(std::size_t destination, std::string routing_key, const Status& status, TimePoint now) {
  auto& keys = targets_[destination].refused_keys;
  if (keys.size() >= most_refused_keys) keys.clear();
  keys[std::move(routing_key)].set(status, now);
}

/// The channel that takes this message now, if there is one. If not, what is missing has been asked for.
PublishChannel* RabbitMqBroker::channel_for(const OutboundMessage& message, TimePoint now) {
  const std::size_t destination = message.destination_index();
  if (!declarations_.exists({Kind::queue, destination})) {
    times_begin(now);
    declarations_.request({Kind::queue, destination}, now);
    return nullptr;
  }
  const Target& target = targets_[destination];
  Publisher& publisher = publishers_[destination];
  if (!target.channel && !enter(destination, shared_channel(target.exchange, now), now)) {
    declarations_.refuse({Kind::queue, destination},
                         {StatusCode::unavailable,
                          "the broker allows " + std::to_string(channels_.most()) +
                              " publish channels on a connection, and all are in use: raise channel_max on the broker, "
                              "or spread the exchanges over several connections (connection_name)"},
                         now);
    return nullptr;
  }
  switch (publisher.offer(message, channels_.is_own(*target.channel), now)) {
    case Publisher::Decision::wait:
      return nullptr;
    case Publisher::Decision::new_channel:
      // If the connection has no more channels, it stays.
      if (enter(destination, channels_.make(target.exchange), now)) return channel_for(message, now);
      break;
    case Publisher::Decision::publish:
      break;
  }
  if (publisher.unconfirmed() == 0) {
    const PublishChannel& current = channels_[*target.channel];
    const bool comes_back =
        !channels_.is_shared(*target.channel) && publisher.is_calm() && now - current.opened_at() >= apart_at_least;
    if (comes_back || current.stalled(now) || current.state() == PublishChannel::State::closing) {
      (void)enter(destination, shared_channel(target.exchange, now), now);
    }
  }
  PublishChannel& channel = channels_[*target.channel];
  if (channel.state() == PublishChannel::State::closed) prepare_channel(*target.channel, now);
  return channel.state() == PublishChannel::State::open && channel.has_room(now) ? &channel : nullptr;
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
  std::size_t taken = 0;
  for (; taken < batch.size() && connection_->error().ok(); ++taken) {
    const OutboundMessage& message = *batch[taken];
    const amqp_basic_publish_t method = publish_method(config, message.key());
    const std::string_view routing_key = from_amqp(method.routing_key);
    if (const Status* refusal = refused_key(destination, routing_key, now)) {
      events.complete(message, Outcome::failed(*refusal));
      continue;
    }
    if (auto problem = check_message(config, message, connection_->frame_max())) {
      events.complete(message, Outcome::failed(std::move(*problem)));
      continue;
    }
    PublishChannel* const channel = channel_for(message, now);
    if (channel == nullptr) break;
    using Room = OutgoingFrames::Room;
    if (const Room room = connection_->room_for(channel->id(), message.body().size() + envelope_estimate);
        room != Room::yes) {
      if (room == Room::none) events.full();
      break;
    }
    const bool declared = config.declare && config.exchange.empty() && routing_key == config.queue;
    channel->published(message, {.key = routing_key, .mandatory = config.mandatory, .declared = declared}, now);
    connection_->publish(channel->id(), encoder_.encode(config, message));
    times_begin(now);
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
  if (connection_->error().ok() && last_poll_ >= next_check_) check_times(events);
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
  } else if (frame.channel < first_publish_channel) {
    declarations_.on_method(frame.channel, method, events.now());
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
  if (method.id == AMQP_CHANNEL_CLOSE_OK_METHOD) return (void)channel.close_confirmed();
  if (channel.state() == PublishChannel::State::closing && method.id != AMQP_CHANNEL_CLOSE_METHOD) return;  // too late
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
    case AMQP_CHANNEL_OPEN_OK_METHOD:
      channel.open_confirmed();
      break;
    default:
      break;
  }
  if (!status.ok()) connection_->fail(status.message());
}

void RabbitMqBroker::on_returned_message(PublishChannel& channel, const amqp_frame_t& frame) {
  if (channel.state() == PublishChannel::State::closing) return;  // too late
  Status status;
  if (frame.frame_type == AMQP_FRAME_HEADER) {
    const auto& properties = *static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded);
    std::vector<HeaderView> headers;
    if ((properties._flags & AMQP_BASIC_HEADERS_FLAG) != 0) {
      for (int i = 0; i < properties.headers.num_entries; ++i) {
        const amqp_table_entry_t& entry = properties.headers.entries[i];
        if (entry.value.kind != AMQP_FIELD_KIND_UTF8) continue;
        headers.push_back({.name = from_amqp(entry.key), .value = from_amqp(entry.value.value.bytes)});
      }
    }
    const bool has_id = (properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0;
    status = channel.return_header({.message_id = has_id ? from_amqp(properties.message_id) : std::string_view(),
                                    .body_size = frame.payload.properties.body_size,
                                    .headers = headers});
  } else {
    status = channel.return_body(from_amqp(frame.payload.body_fragment));
  }
  if (!status.ok()) connection_->fail(status.message());
  if (const auto destination = channel.take_gone_queue()) declarations_.forget({Kind::queue, *destination});
}

void RabbitMqBroker::on_channel_closed(PublishChannel& channel, const amqp_channel_close_t& close,
                                       BrokerEvents& events) {
  amqp_channel_close_ok_t close_ok{};
  send_method(channel.id(), AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok);
  const std::string_view text = from_amqp(close.reply_text);
  const AmqpError& error = amqp_error(AmqpErrorAt::any, close.reply_code, text);
  const Status status = status_of_close(close.reply_code, text);
  const auto cause = channel.closed_by_broker(status, error.persistence, events);
  if (!cause || close.reply_code != AMQP_ACCESS_REFUSED) return;
  if (text.find("access to topic") != std::string_view::npos) {
    refuse_key(cause->destination, cause->routing_key, status, events.now());
  } else {
    declarations_.refuse({Kind::queue, cause->destination}, status, events.now());
  }
}

// Time

/// Something has a time limit from now on.
void RabbitMqBroker::times_begin(TimePoint now) {
  if (next_check_ == TimePoint::max()) next_check_ = now + check_interval;
}

void RabbitMqBroker::check_times(BrokerEvents& events) {
  const TimePoint now = events.now();
  bool goes_on = declarations_.has_times();
  if (blocked_) {  // nobody can be expected to answer
    declarations_.restart_times(now);
  } else {
    declarations_.check_times(now);
    if (declarations_.is_stuck()) return connection_->fail("the broker answers no declaration on this connection");
  }
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    PublishChannel& channel = channels_[i];
    if (!channel.has_times()) continue;
    goes_on = true;
    if (blocked_ || connection_->is_writing(channel.id())) {  // a large body may take its time
      channel.restart_times(now);
    } else if (channel.is_unanswered(now)) {
      return connection_->fail("the broker does not answer channel.open: it has stopped reading this connection");
    } else if (channel.is_hopeless(now)) {
      const Status why(StatusCode::unavailable, "the broker has confirmed nothing on the channel for 30 seconds");
      events.log(LogLevel::warning, why.message());
      channel.lost(why, events);
      close_channel(channel, "not confirmed");
    } else if (channel.stalled(now) && channel.over_safe_window() && channels_.is_shared(i)) {
      (void)shared_channel(channels_.exchange_of(i), now);  // also to see whether the broker still reads
    }
  }
  next_check_ = goes_on ? now + check_interval : TimePoint::max();
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
  request.at = std::min(request.at, next_check_);
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
