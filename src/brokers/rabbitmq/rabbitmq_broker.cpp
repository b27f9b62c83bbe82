// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/rabbitmq_broker.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "brokers/rabbitmq/rabbitmq_type.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::chrono::milliseconds check_interval{250};  // of what has a time limit, while there is something
constexpr std::size_t most_refused_keys = 1'000;          // of a destination, then those are forgotten
constexpr std::chrono::seconds good_host_time{1};         // a host that ends connections sooner is no good one

using Kind = Declarations::Kind;

bool is_declaration(amqp_method_number_t method) {
  const amqp_method_number_t of_class = method >> 16U;
  return of_class == AMQP_QUEUE_DECLARE_METHOD >> 16U || of_class == AMQP_EXCHANGE_DECLARE_METHOD >> 16U;
}

std::size_t fail_all(std::span<const OutboundMessage* const> messages, const Status& why, BrokerEvents& events) {
  for (const OutboundMessage* message : messages) events.complete(*message, Outcome::failed(why));
  return messages.size();
}

/// The name in "NOT_FOUND - no exchange 'NAME' in vhost 'VHOST'": a channel may be used for several exchanges.
std::string missing_exchange(std::string_view text) {
  constexpr std::string_view before = "no exchange '";
  const std::size_t at = text.find(before);
  const std::size_t end = text.rfind("' in vhost '");
  if (at == std::string_view::npos || end == std::string_view::npos || end < at + before.size()) return {};
  return std::string(text.substr(at + before.size(), end - at - before.size()));
}

}  // namespace

RabbitMqBroker::RabbitMqBroker(const RabbitMqConfig& config)
    : config_(config), declarations_(*this), channels_(declarations_, *this) {}

RabbitMqBroker::~RabbitMqBroker() = default;

// Destinations

void RabbitMqBroker::start(const LaneContext& context) {
  waker_ = context.waker;
  for (std::size_t i = 0; i < context.destinations.size(); ++i) add_destination(*context.destinations[i], i);
}

void RabbitMqBroker::add_destination(const BrokerConfig& config, std::size_t index) {
  const RabbitMqConfig& added = config_as<RabbitMqConfig>(config, "RabbitMQ");
  if (index >= targets_.size()) targets_.resize(index + 1);
  targets_[index] = {.config = &added, .refused_keys = {}};
  declarations_.set_queue(index, added);
  channels_.add(index, added.exchange);
  if (!connection_) return;
  set_patience();
  prepare(index, last_poll_);
}

/// Asks for everything, so that the first message need not wait for it.
void RabbitMqBroker::prepare(std::size_t destination, TimePoint now) {
  const RabbitMqConfig& config = *targets_[destination].config;
  declarations_.request_declared(destination, now);
  if (config.exchange.empty()) {
    (void)channels_.join(destination, now);
  } else {
    times_begin(now);
    declarations_.request({Kind::exchange, channels_.exchange_of(destination)}, now);
  }
}

void RabbitMqBroker::remove_destination(std::size_t index) {
  targets_[index].config = nullptr;
  declarations_.remove({Kind::queue, index});
  channels_.remove(index, last_poll_);
}

// Connection

void RabbitMqBroker::connect(BrokerEvents& /*events*/) {
  connector_ = std::make_unique<AmqpConnector>(config_, host_, [waker = *waker_] { waker.wake(); });
}

void RabbitMqBroker::on_connected(AmqpHandle handle, BrokerEvents& events) {
  const auto channel_max = static_cast<std::uint16_t>(amqp_get_channel_max(handle.get()));
  connection_.emplace(std::move(handle), to_string(config_.hosts[host_]), config_.tls.has_value());
  connected_at_ = confirmed_at_ = events.now();
  set_patience();
  blocked_ = false;
  next_check_ = TimePoint::max();
  const TimePoint now = events.now();
  const amqp_channel_t last_channel = channel_limit_.begin(channel_max, now);
  const amqp_channel_t controls = std::clamp<amqp_channel_t>(last_channel / 4, 1, Declarations::last_control_channel);
  first_publish_channel_ = controls + 1;
  declarations_.reset(controls);
  channels_.reset(first_publish_channel_, last_channel);
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    targets_[i].refused_keys.clear();
    if (targets_[i].config != nullptr) prepare(i, now);
  }
  events.log(LogLevel::info, "connected to " + to_string(config_.hosts[host_]));
  events.connected();
}

void RabbitMqBroker::set_patience() {
  std::chrono::milliseconds shortest = std::chrono::milliseconds::max();
  for (const Target& target : targets_) {
    if (target.config != nullptr) shortest = std::min(shortest, target.config->timeout);
  }
  connection_->set_shortest_timeout(shortest);
}

/// The lane sends again what was unconfirmed, in order, over the next connection.
void RabbitMqBroker::lose_connection(BrokerEvents& events) {
  const Status why = connection_->error();
  declarations_.connection_lost(why.message());
  if (connection_->has_too_many_channels()) {
    const std::uint16_t channels = channel_limit_.refused(events.now());
    events.log(LogLevel::warning, "the next connection uses " + std::to_string(channels) + " channels at most");
  }
  // A host that ends connections at once, or does not answer on one, is not tried first again.
  if (connection_->given_up() || events.now() - connected_at_ < good_host_time) {
    host_ = (host_ + 1) % config_.hosts.size();
  }
  if (is_declaration(connection_->blamed_method())) declarations_.closed_connection(why, events.now());
  connection_.reset();
  channels_.lost({StatusCode::unavailable, why.message()}, events);
  events.disconnected(why);
}

// What the parts need of it

bool RabbitMqBroker::send_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded) {
  return connection_->send_method(channel, method, decoded);
}

void RabbitMqBroker::exchange_exists(std::size_t index, TimePoint now) {
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (targets_[i].config != nullptr && channels_.exchange_of(i) == index) (void)channels_.join(i, now);
  }
}

void RabbitMqBroker::times_begin(TimePoint now) {
  if (next_check_ == TimePoint::max()) next_check_ = now + check_interval;
}

// Publishing

const Status* RabbitMqBroker::refused(std::size_t destination, TimePoint now) const {
  if (const Status* status = declarations_.refused({Kind::queue, destination}, now)) return status;
  return declarations_.refused({Kind::exchange, channels_.exchange_of(destination)}, now);
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

/// Whether the queue or the exchange is not known to exist: then it has been asked for.
bool RabbitMqBroker::have_to_ask(std::size_t destination, TimePoint now) {
  std::optional<Declarations::Subject> missing;
  if (!declarations_.exists({Kind::queue, destination})) {
    missing = {Kind::queue, destination};
  } else if (const std::size_t exchange = channels_.exchange_of(destination);
             !targets_[destination].config->exchange.empty() && !declarations_.exists({Kind::exchange, exchange})) {
    missing = {Kind::exchange, exchange};
  }
  if (!missing) return false;
  times_begin(now);
  declarations_.request(*missing, now);
  return true;
}

/// The channel that takes this message now, if there is one. If not, what is missing has been asked for.
PublishChannel* RabbitMqBroker::channel_for(const OutboundMessage& message, TimePoint now) {
  const std::size_t destination = message.destination_index();
  if (have_to_ask(destination, now)) return nullptr;
  if (!channels_.join(destination, now)) {
    declarations_.refuse({Kind::queue, destination},
                         {StatusCode::unavailable,
                          "the broker allows " + std::to_string(channels_.most()) +
                              " publish channels on a connection, and all are in use: raise channel_max or the user's "
                              "limit max-channels on the broker, or spread the exchanges over several connections "
                              "(connection_name)"},
                         now);
    return nullptr;
  }
  return channels_.channel_for(message, now);
}

std::size_t RabbitMqBroker::send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) {
  if (!connection_ || !connection_->error().ok()) return 0;
  const std::size_t destination = batch.front()->destination_index();
  const TimePoint now = events.now();
  if (const Status* why = refused(destination, now)) return fail_all(batch, *why, events);
  if (blocked_) {
    events.full();
    return 0;
  }
  const RabbitMqConfig& config = *targets_[destination].config;
  std::size_t taken = 0;
  for (; taken < batch.size() && connection_->error().ok(); ++taken) {
    const OutboundMessage& message = *batch[taken];
    const std::string_view routing_key = routing_key_of(config, message.key());
    const Status* const refusal = refused_key(destination, routing_key, now);
    if (auto problem = refusal != nullptr ? std::optional(*refusal) : check_message(config, message)) {
      events.complete(message, Outcome::failed(std::move(*problem)));
      continue;
    }
    PublishChannel* const channel = channel_for(message, now);
    if (channel == nullptr) {
      if (const Status* why = refused(destination, now)) taken += fail_all(batch.subspan(taken), *why, events);
      break;
    }
    using Room = OutgoingFrames::Room;
    if (const Room room = connection_->room_for(channel->id(), message.body().size() + envelope_estimate);
        room != Room::yes) {
      if (room == Room::none) events.full();
      break;
    }
    if (!connection_->publish(channel->id(), encoder_.encode(config, message))) {
      events.complete(message, Outcome::failed(headers_fit_no_frame(connection_->frame_max())));
      continue;
    }
    channel->published(
        message, {.exchange = config.exchange, .key = routing_key, .mandatory = config.mandatory, .declares = &config},
        now);
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
  if (method.id == AMQP_CHANNEL_OPEN_OK_METHOD) channel_limit_.opened();
  if (method.id == AMQP_CHANNEL_CLOSE_METHOD || method.id == AMQP_CHANNEL_CLOSE_OK_METHOD) channel_limit_.closed();
  if (frame.channel == 0) {
    on_connection_method(method, events);
  } else if (frame.channel < first_publish_channel_) {
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
    const std::string why = to_string(config_.hosts[host_]) +
                            ": RabbitMQ has blocked publishers: " + std::string(from_amqp(blocked.reason));
    events.log(LogLevel::warning, why);
    events.blocked(true, why);
  } else if (method.id == AMQP_CONNECTION_UNBLOCKED_METHOD) {
    blocked_ = false;
    connection_->set_blocked(false);
    events.log(LogLevel::info, to_string(config_.hosts[host_]) + ": RabbitMQ takes messages again");
    events.blocked(false, {});
  }
}

void RabbitMqBroker::on_publish_method(PublishChannel& channel, const amqp_method_t& method, BrokerEvents& events) {
  using Confirmation = PublishChannel::Confirmation;
  if (method.id == AMQP_CHANNEL_CLOSE_OK_METHOD) return (void)channel.close_confirmed();
  if (channel.state() == PublishChannel::State::closing && method.id != AMQP_CHANNEL_CLOSE_METHOD) return;  // too late
  Status status;
  const auto confirmed = [&](std::uint64_t tag, bool multiple, Confirmation confirmation) -> Status {
    confirmed_at_ = last_poll_;
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
      channel.return_begins(back.reply_code, from_amqp(back.reply_text), from_amqp(back.exchange),
                            from_amqp(back.routing_key));
      break;
    }
    case AMQP_CHANNEL_CLOSE_METHOD:
      on_channel_closed(channel, *static_cast<const amqp_channel_close_t*>(method.decoded), events);
      break;
    case AMQP_CHANNEL_OPEN_OK_METHOD:
      channel.open_confirmed(events.now());
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
    status = channel.return_header(*static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded),
                                   frame.payload.properties.body_size);
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
  Status status = status_of_close(close.reply_code, text);
  if (close.reply_code == AMQP_NOT_FOUND && declarations_.declares_exchange(missing_exchange(text))) {
    status = {StatusCode::unavailable,
              "the broker says 404 " + std::string(text) + "; the exchange is declared again, as params.declare says"};
  }
  const auto cause = channel.closed_by_broker(status, error.persistence, events);
  channels_.closed_by_broker(channel);
  if (!cause || close.reply_code != AMQP_ACCESS_REFUSED) return;
  if (text.find("access to topic") != std::string_view::npos) {
    refuse_key(cause->destination, cause->routing_key, status, events.now());
  } else {
    declarations_.refuse({Kind::queue, cause->destination}, status, events.now());
  }
}

// Time

void RabbitMqBroker::check_times(BrokerEvents& events) {
  const TimePoint now = events.now();
  bool goes_on = declarations_.has_times();
  if (blocked_) {  // nobody can be expected to answer
    declarations_.restart_times(now);
  } else {
    declarations_.check_times(now);
    if (declarations_.is_stuck()) return connection_->give_up("the broker answers no declaration on this connection");
  }
  goes_on = goes_on || channels_.has_times();
  const auto is_excused = [this](amqp_channel_t channel) {  // a large body may take its time
    return blocked_ || connection_->is_writing(channel);
  };
  // Another host may confirm what this one does not, if it is not a queue's trouble.
  const bool leaves_host = config_.hosts.size() > 1 && now - confirmed_at_ >= PublishChannel::longest_wait;
  if (const Status status = channels_.check_times(is_excused, leaves_host, events); !status.ok()) {
    return connection_->give_up(status.message());
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
  channels_.lost({StatusCode::unavailable, "the connection was closed before the broker confirmed"}, events);
  connection_.reset();
}

std::unique_ptr<Broker> make_rabbitmq(const BrokerConfig& config) {
  return std::make_unique<RabbitMqBroker>(config_as<RabbitMqConfig>(config, "RabbitMQ"));
}

}  // namespace action_triggers::detail
