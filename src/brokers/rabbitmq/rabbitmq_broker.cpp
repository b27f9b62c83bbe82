#include "brokers/rabbitmq/rabbitmq_broker.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <stdexcept>
#include <utility>

#include "brokers/rabbitmq/rabbitmq_type.hpp"

namespace action_triggers::detail {
namespace {

constexpr std::size_t envelope_estimate = 512;  // method and header frames without the application's headers
constexpr int most_frames_per_poll = 2'000;
constexpr std::chrono::seconds refusal_time{1};  // what is missing or forbidden is asked for again after this
constexpr std::chrono::milliseconds write_patience{3'000};
constexpr std::chrono::milliseconds close_patience{500};

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

}  // namespace

/// Keeps frames that rabbitmq-c writes one by one together in one packet while it lives.
class RabbitMqBroker::Cork {
 public:
  explicit Cork(int fd) : fd_(fd) { set(1); }
  ~Cork() { set(0); }
  Cork(const Cork&) = delete;
  Cork& operator=(const Cork&) = delete;

 private:
  void set(int on) const { setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &on, sizeof on); }
  const int fd_;
};

RabbitMqBroker::RabbitMqBroker(const RabbitMqConfig& config) : config_(config), watchdog_(write_patience) {}

RabbitMqBroker::~RabbitMqBroker() = default;

void RabbitMqBroker::start(const LaneContext& context) {
  waker_ = context.waker;
  std::map<std::string, std::size_t> by_exchange;
  for (const BrokerConfig* base : context.destinations) {
    const auto* config = dynamic_cast<const RabbitMqConfig*>(base);
    if (config == nullptr) throw std::invalid_argument("'" + base->name + "' has no RabbitMQ configuration");
    const auto [at, is_new] = by_exchange.emplace(config->exchange, channels_.size());
    if (is_new) {
      Channel& channel = channels_.emplace_back();
      channel.id = static_cast<amqp_channel_t>(first_publish_channel + channels_.size() - 1);
      channel.exchange = config->exchange;
    }
    names_.push_back({.config = config, .channel = at->second, .declared = false, .declaring = false, .refusal = {}});
  }
}

// ---------------------------------------------------------------------------------------------------------- connection

void RabbitMqBroker::connect(BrokerEvents& /*events*/) {
  connector_ = std::make_unique<AmqpConnector>(config_, host_, [waker = *waker_] { waker.wake(); });
}

void RabbitMqBroker::adopt(AmqpConnection connection, BrokerEvents& events) {
  connection_ = std::move(connection);
  broken_.reset();
  blocked_ = close_ok_ = wants_writable_ = job_running_ = false;
  write_budget_ = 0;
  jobs_.clear();
  control_open_ = false;
  for (Channel& channel : channels_) {
    channel.state = ChannelState::closed;
    channel.refusal = {};
    channel.returned.reset();
    channel.had_error = channel.had_nack = channel.sent_alone = false;
    channel.reserved_for = no_name;
  }
  // Ask for everything now: the first message should not have to wait for it.
  for (std::size_t i = 0; i < names_.size(); ++i) {
    Name& name = names_[i];
    name.refusal = {};
    name.declaring = name.config->declare.has_value();
    name.declared = !name.declaring;
    if (name.declaring) add_job({Job::Kind::declare_queue, i});
  }
  for (Channel& channel : channels_) prepare(channel);
  events.log(LogLevel::info, "connected to " + to_string(config_.hosts[host_]));
  events.connected();
}

/// Everything unconfirmed is unknown now. The lane sends it again, in order, over the next connection.
void RabbitMqBroker::lose_connection(const Status& why, BrokerEvents& events) {
  watchdog_.disarm();
  connection_.reset();
  broken_.reset();
  for (Channel& channel : channels_) {
    fail_unconfirmed(channel, {StatusCode::unavailable, why.message()}, Persistence::possibly_persisted, events);
    channel.state = ChannelState::closed;
  }
  host_ = (host_ + 1) % config_.hosts.size();
  events.disconnected(why);
}

bool RabbitMqBroker::send_method(amqp_channel_t channel, amqp_method_number_t method, void* decoded) {
  // Beneath TLS a write may have to read first.
  const bool may_wait = config_.tls.has_value() || !takes_a_step();
  if (may_wait) watchdog_.arm(amqp_get_sockfd(connection_.get()));
  const int result = amqp_send_method(connection_.get(), channel, method, decoded);
  if (may_wait) watchdog_.disarm();
  if (result != AMQP_STATUS_OK && !broken_) {
    broken_ = Status(StatusCode::unavailable, std::string("writing to the broker: ") + amqp_error_string2(result));
  }
  return result == AMQP_STATUS_OK;
}

/// Whether the socket takes `write_step` bytes without blocking.
bool RabbitMqBroker::takes_a_step() const {
  pollfd fd{.fd = amqp_get_sockfd(connection_.get()), .events = POLLOUT, .revents = 0};
  return ::poll(&fd, 1, 0) == 1 && (fd.revents & POLLOUT) != 0;
}

bool RabbitMqBroker::writable() {
  if (takes_a_step()) {
    write_budget_ = write_step;
    return true;
  }
  wants_writable_ = true;
  return false;
}

// ------------------------------------------------------------------------------------------------------------ channels

/// Opens a closed channel, or asks first whether it may be.
void RabbitMqBroker::prepare(Channel& channel) {
  if (channel.exchange.empty()) {
    open_channel(channel);  // the default exchange cannot be missing
  } else {
    channel.state = ChannelState::waiting_for_probe;
    add_job({Job::Kind::probe_exchange, static_cast<std::size_t>(&channel - channels_.data())});
  }
}

/// What is published next goes right behind: a broker takes the methods of a channel in order, so it waits for neither
/// of the two answers. If the broker refuses, it closes the connection, and the messages come back with it.
void RabbitMqBroker::open_channel(Channel& channel) {
  amqp_channel_open_t open{.out_of_band = amqp_empty_bytes};
  amqp_confirm_select_t select{};
  channel.state = ChannelState::open;
  channel.first_tag = 1;
  static_cast<void>(send_method(channel.id, AMQP_CHANNEL_OPEN_METHOD, &open) &&
                    send_method(channel.id, AMQP_CONFIRM_SELECT_METHOD, &select));
}

/// Closes an empty channel, to open it again when that is confirmed.
///
/// A channel of RabbitMQ remembers which node led a quorum queue when it first published there. If that node was
/// already down and no other led yet, it refuses every later message as well, for as long as it lives (3.10:
/// rabbit_fifo_client, the registration of an enqueuer).
void RabbitMqBroker::renew(Channel& channel, TimePoint now) {
  amqp_channel_close_t close{};
  close.reply_code = AMQP_REPLY_SUCCESS;
  close.reply_text = amqp_cstring_bytes("to be opened again");
  channel.state = ChannelState::closing;
  channel.had_nack = false;
  channel.renewed_at = now;
  static_cast<void>(send_method(channel.id, AMQP_CHANNEL_CLOSE_METHOD, &close));
}

RabbitMqBroker::Channel* RabbitMqBroker::find_channel(amqp_channel_t id) {
  const std::size_t index = static_cast<std::size_t>(id) - first_publish_channel;
  return id >= first_publish_channel && index < channels_.size() ? &channels_[index] : nullptr;
}

void RabbitMqBroker::on_channel_closed(Channel& channel, int code, std::string_view text, BrokerEvents& events) {
  amqp_channel_close_ok_t close_ok{};
  static_cast<void>(send_method(channel.id, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok));
  channel.state = ChannelState::closed;
  channel.had_error = true;
  const Status status = status_of_close(code, text);
  if (channel.unsettled == 1 && !status.retryable()) {
    // It was alone, so it is the cause, and the broker did not take it.
    const auto guilty = std::find_if(channel.unconfirmed.begin(), channel.unconfirmed.end(),
                                     [](const Unconfirmed& entry) { return entry.message != nullptr; });
    if (code == AMQP_ACCESS_REFUSED) {
      names_[guilty->message->destination_index()].refusal = {status, events.now() + refusal_time};
    }
    fail_unconfirmed(channel, status, Persistence::not_persisted, events);
    return;
  }
  // One of them is the cause; which one shows when each is sent again, alone.
  fail_unconfirmed(channel, {StatusCode::unavailable, "the channel was closed: " + status.message()},
                   Persistence::possibly_persisted, events);
}

void RabbitMqBroker::fail_unconfirmed(Channel& channel, const Status& why, Persistence persistence,
                                      BrokerEvents& events) {
  channel.unsettled = 0;
  channel.sent_alone = false;
  for (const Unconfirmed& entry : std::exchange(channel.unconfirmed, {})) {
    if (entry.message != nullptr) events.complete(*entry.message, Outcome::failed(why, persistence));
  }
}

// --------------------------------------------------------------------------------------------- declarations and probes

void RabbitMqBroker::add_job(Job job) {
  jobs_.push_back(job);
  run_next_job();
}

void RabbitMqBroker::run_next_job() {
  if (jobs_.empty() || job_running_ || broken_) return;
  if (!control_open_) {
    amqp_channel_open_t open{.out_of_band = amqp_empty_bytes};
    control_open_ = true;
    static_cast<void>(send_method(control_channel, AMQP_CHANNEL_OPEN_METHOD, &open));
  }
  job_running_ = true;
  const Job& job = jobs_.front();
  if (job.kind == Job::Kind::probe_exchange) {
    amqp_exchange_declare_t declare{};
    declare.exchange = to_amqp(channels_[job.index].exchange);
    declare.type = amqp_cstring_bytes("direct");  // not looked at: passive asks only whether it exists
    declare.passive = 1;
    static_cast<void>(send_method(control_channel, AMQP_EXCHANGE_DECLARE_METHOD, &declare));
    return;
  }
  const RabbitMqConfig& config = *names_[job.index].config;
  std::vector<amqp_table_entry_t> arguments;
  const auto add = [&](const std::string& key, std::uint8_t kind) -> amqp_field_value_t& {
    amqp_table_entry_t& entry = arguments.emplace_back();
    entry.key = to_amqp(key);
    entry.value.kind = kind;
    return entry.value;
  };
  static const std::string queue_type = "x-queue-type";
  if (!config.declare->queue_type.empty()) {
    add(queue_type, AMQP_FIELD_KIND_UTF8).value.bytes = to_amqp(config.declare->queue_type);
  }
  for (const auto& [key, value] : config.declare->string_arguments) {
    add(key, AMQP_FIELD_KIND_UTF8).value.bytes = to_amqp(value);
  }
  for (const auto& [key, value] : config.declare->integer_arguments) add(key, AMQP_FIELD_KIND_I64).value.i64 = value;
  for (const auto& [key, value] : config.declare->boolean_arguments) {
    add(key, AMQP_FIELD_KIND_BOOLEAN).value.boolean = value ? 1 : 0;
  }
  amqp_queue_declare_t declare{};
  declare.queue = to_amqp(config.queue);
  declare.durable = config.declare->durable ? 1 : 0;
  declare.arguments = {static_cast<int>(arguments.size()), arguments.data()};
  static_cast<void>(send_method(control_channel, AMQP_QUEUE_DECLARE_METHOD, &declare));
}

void RabbitMqBroker::job_done(const Status& status) {
  const Job job = jobs_.front();
  jobs_.pop_front();
  job_running_ = false;
  const Refusal refusal{status, last_poll_ + refusal_time};
  if (job.kind == Job::Kind::declare_queue) {
    Name& name = names_[job.index];
    name.declaring = false;
    name.declared = status.ok();
    if (!status.ok()) name.refusal = refusal;
  } else {
    Channel& channel = channels_[job.index];
    if (status.ok()) {
      open_channel(channel);
    } else {
      channel.state = ChannelState::closed;
      channel.refusal = refusal;
    }
  }
  run_next_job();
}

// ---------------------------------------------------------------------------------------------------------- publishing

const RabbitMqBroker::Refusal* RabbitMqBroker::refusal_of(const Name& name, const Channel& channel,
                                                          TimePoint now) const {
  if (now < name.refusal.until) return &name.refusal;
  if (now < channel.refusal.until) return &channel.refusal;
  return nullptr;
}

/// Whether the channel can take this message now. If not, what is missing has been asked for.
bool RabbitMqBroker::may_publish(Name& name, Channel& channel, const OutboundMessage& message, TimePoint now) {
  if (!name.declared) {
    if (!name.declaring) {
      name.declaring = true;
      add_job({Job::Kind::declare_queue, message.destination_index()});
    }
    return false;
  }
  if (channel.state != ChannelState::open) {
    if (channel.state == ChannelState::closed) prepare(channel);
    return false;
  }
  if (channel.unsettled > 0 && channel.sent_alone) return false;
  const bool is_reserved = channel.reserved_for != no_name && now < channel.reserved_until;
  if (is_reserved && channel.reserved_for != message.destination_index()) return false;
  const bool must_go_alone = channel.had_error && message.attempt() > 1;
  const bool must_renew = channel.had_nack && message.attempt() > 1 && now - channel.renewed_at >= refusal_time;
  if ((must_go_alone || must_renew) && channel.unsettled > 0) {
    channel.reserved_for = message.destination_index();
    channel.reserved_until = now + refusal_time;
    return false;
  }
  channel.reserved_for = no_name;
  if (must_renew) {
    renew(channel, now);
    return false;
  }
  channel.sent_alone = must_go_alone;
  return true;
}

std::optional<Status> RabbitMqBroker::invalid(const Name& name, const OutboundMessage& message) const {
  const auto too_long = [](const char* what, std::size_t size) {
    return Status(StatusCode::invalid_argument,
                  std::string("the ") + what + " has " + std::to_string(size) + " bytes; AMQP allows 255");
  };
  if (name.config->key_as_routing_key && message.key().size() > amqp_short_string_limit) {
    return too_long("key (used as routing key)", message.key().size());
  }
  if (message.id().size() > amqp_short_string_limit) return too_long("message id", message.id().size());
  if (message.content_type().size() > amqp_short_string_limit) {
    return too_long("content type", message.content_type().size());
  }
  std::size_t header_bytes = envelope_estimate + message.id().size() + message.content_type().size();
  std::optional<Status> problem;
  message.for_each_header([&](HeaderView header) {
    header_bytes += header.name.size() + header.value.size() + 6;
    if (header.name.empty()) problem = Status(StatusCode::invalid_argument, "a header has no name");
    if (header.name.size() > amqp_short_string_limit) problem = too_long("name of a header", header.name.size());
  });
  const auto most = static_cast<std::size_t>(amqp_get_frame_max(connection_.get()));
  if (!problem && header_bytes > most) {
    problem = Status(StatusCode::invalid_argument, "the headers take about " + std::to_string(header_bytes) +
                                                       " bytes; they must fit one frame of " + std::to_string(most));
  }
  return problem;
}

void RabbitMqBroker::publish(const Name& name, const Channel& channel, const OutboundMessage& message,
                             std::optional<Cork>& cork) {
  const RabbitMqConfig& config = *name.config;
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TIMESTAMP_FLAG;
  properties.message_id = to_amqp(message.id());
  properties.delivery_mode = config.persistent ? 2 : 1;
  properties.timestamp = static_cast<std::uint64_t>(std::time(nullptr));
  const std::string_view content_type = message.content_type().empty() ? config.content_type : message.content_type();
  if (!content_type.empty()) {
    properties._flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
    properties.content_type = to_amqp(content_type);
  }
  if (const auto priority = message.priority() ? message.priority() : config.priority) {
    properties._flags |= AMQP_BASIC_PRIORITY_FLAG;
    properties.priority = *priority;
  }
  char expiration[24];
  if (const auto time = message.expiration() ? message.expiration() : config.expiration) {
    const auto end = std::to_chars(std::begin(expiration), std::end(expiration), time->count()).ptr;
    properties._flags |= AMQP_BASIC_EXPIRATION_FLAG;
    properties.expiration = to_amqp({expiration, static_cast<std::size_t>(end - expiration)});
  }
  if (message.header_count() > 0) {
    header_entries_.clear();
    message.for_each_header([&](HeaderView header) {
      amqp_table_entry_t& entry = header_entries_.emplace_back();
      entry.key = to_amqp(header.name);
      entry.value.kind = AMQP_FIELD_KIND_UTF8;
      entry.value.value.bytes = to_amqp(header.value);
    });
    properties._flags |= AMQP_BASIC_HEADERS_FLAG;
    properties.headers = {static_cast<int>(header_entries_.size()), header_entries_.data()};
  }
  std::string_view routing_key = config.exchange.empty() ? config.queue : config.routing_key;
  if (config.key_as_routing_key && !message.key().empty()) routing_key = message.key();
  amqp_basic_publish_t method{};
  method.exchange = to_amqp(config.exchange);
  method.routing_key = to_amqp(routing_key);
  method.mandatory = config.mandatory ? 1 : 0;
  const std::size_t frame_payload = static_cast<std::size_t>(amqp_get_frame_max(connection_.get())) - frame_overhead;
  const auto fits = [&] {
    return !config_.tls && buffered_.add(channel.id, method, properties, message.body(), frame_payload);
  };
  if (fits()) return;
  write_publishes();
  if (broken_ || fits()) return;
  // rabbitmq-c marks the last part of a body that fills its frames exactly as "more to come" (MSG_MORE); uncorking
  // sends it.
  const int fd = amqp_get_sockfd(connection_.get());
  if (!cork) cork.emplace(fd);
  watchdog_.arm(fd);
  const int result = amqp_basic_publish(connection_.get(), channel.id, method.exchange, method.routing_key,
                                        method.mandatory, 0, &properties, to_amqp(message.body()));
  watchdog_.disarm();
  if (result != AMQP_STATUS_OK) {
    broken_ = Status(StatusCode::unavailable, std::string("publishing: ") + amqp_error_string2(result));
  }
}

void RabbitMqBroker::write_publishes() {
  if (buffered_.empty()) return;
  const std::error_code error = buffered_.write_to(amqp_get_sockfd(connection_.get()), watchdog_);
  if (error && !broken_) broken_ = Status(StatusCode::unavailable, "publishing: " + error.message());
}

std::size_t RabbitMqBroker::send(std::span<const OutboundMessage* const> batch, BrokerEvents& events) {
  if (!connection_ || broken_) return 0;
  Name& name = names_[batch.front()->destination_index()];
  Channel& channel = channels_[name.channel];
  const TimePoint now = events.now();
  if (const Refusal* refusal = refusal_of(name, channel, now)) {
    const Status status = refusal->status;
    for (const OutboundMessage* message : batch) events.complete(*message, Outcome::failed(status));
    return batch.size();
  }
  if (blocked_) return 0;
  std::optional<Cork> cork;
  std::size_t taken = 0;
  for (; taken < batch.size() && !broken_; ++taken) {
    const OutboundMessage& message = *batch[taken];
    if (!may_publish(name, channel, message, now)) break;
    if (auto problem = invalid(name, message)) {
      events.complete(message, Outcome::failed(std::move(*problem)));
      continue;
    }
    const std::size_t bytes = message.body().size() + envelope_estimate;
    if (write_budget_ < bytes) {
      write_publishes();
      if (broken_ || !writable()) break;
    }
    write_budget_ -= std::min(write_budget_, bytes);
    channel.unconfirmed.push_back({&message, std::nullopt});
    ++channel.unsettled;
    publish(name, channel, message, cork);
  }
  write_publishes();
  return taken;
}

// ------------------------------------------------------------------------------------------------------------- reading

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
    adopt(std::move(result.connection), events);
  }
  if (!connection_) return;
  wants_writable_ = false;
  if (!broken_) read_frames(events);
  if (broken_) lose_connection(Status(*broken_), events);
}

void RabbitMqBroker::read_frames(BrokerEvents& events) {
  const timeval no_wait{};
  more_to_read_ = true;
  std::vector<amqp_channel_t> touched;
  for (int i = 0; i < most_frames_per_poll && !broken_; ++i) {
    amqp_frame_t frame{};
    const int result = amqp_simple_wait_frame_noblock(connection_.get(), &frame, &no_wait);
    if (result == AMQP_STATUS_TIMEOUT) {
      more_to_read_ = false;
      break;
    }
    if (result != AMQP_STATUS_OK) {
      broken_ = Status(StatusCode::unavailable, to_string(config_.hosts[host_]) + ": " + amqp_error_string2(result));
      return;  // after an error rabbitmq-c's state is not to be touched
    }
    on_frame(frame, events);
    if (touched.empty() || touched.back() != frame.channel) touched.push_back(frame.channel);
  }
  // Not amqp_maybe_release_buffers(): that one walks every channel.
  for (const amqp_channel_t channel : touched) amqp_maybe_release_buffers_on_channel(connection_.get(), channel);
}

void RabbitMqBroker::on_frame(const amqp_frame_t& frame, BrokerEvents& events) {
  Channel* const channel = find_channel(frame.channel);
  if (frame.frame_type == AMQP_FRAME_HEADER || frame.frame_type == AMQP_FRAME_BODY) {
    if (channel != nullptr) on_return_piece(*channel, frame);
    return;
  }
  if (frame.frame_type != AMQP_FRAME_METHOD) return;
  const amqp_method_t& method = frame.payload.method;
  if (frame.channel == 0) {
    on_connection_method(method, events);
  } else if (frame.channel == control_channel) {
    on_control_method(method);
  } else if (channel == nullptr) {
    broken_ = Status(StatusCode::unavailable,
                     "the broker spoke on channel " + std::to_string(frame.channel) + ", which was never opened");
  } else if (channel->returned) {
    broken_ = Status(StatusCode::unavailable, "the broker sent something else in the middle of a returned message");
  } else {
    on_publish_method(*channel, method, events);
  }
}

void RabbitMqBroker::on_connection_method(const amqp_method_t& method, BrokerEvents& events) {
  switch (method.id) {
    case AMQP_CONNECTION_CLOSE_METHOD: {
      const auto& close = *static_cast<const amqp_connection_close_t*>(method.decoded);
      const Status status = status_of_close(close.reply_code, from_amqp(close.reply_text));
      amqp_connection_close_ok_t close_ok{};
      static_cast<void>(send_method(0, AMQP_CONNECTION_CLOSE_OK_METHOD, &close_ok));
      // Whatever the reason: the next connection tells whether it still holds.
      broken_ = Status(StatusCode::unavailable, status.message());
      break;
    }
    case AMQP_CONNECTION_CLOSE_OK_METHOD:
      close_ok_ = true;
      break;
    case AMQP_CONNECTION_BLOCKED_METHOD: {
      const auto& blocked = *static_cast<const amqp_connection_blocked_t*>(method.decoded);
      blocked_ = true;
      const std::string why = "RabbitMQ has blocked publishers: " + std::string(from_amqp(blocked.reason));
      events.log(LogLevel::warning, why);
      events.blocked(true, why);
      break;
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      blocked_ = false;
      events.log(LogLevel::info, "RabbitMQ takes messages again");
      events.blocked(false, {});
      break;
    default:
      break;
  }
}

void RabbitMqBroker::on_control_method(const amqp_method_t& method) {
  switch (method.id) {
    case AMQP_EXCHANGE_DECLARE_OK_METHOD:
    case AMQP_QUEUE_DECLARE_OK_METHOD:
      if (job_running_) job_done({});
      break;
    case AMQP_CHANNEL_CLOSE_METHOD: {
      const auto& close = *static_cast<const amqp_channel_close_t*>(method.decoded);
      const Status status = status_of_close(close.reply_code, from_amqp(close.reply_text));
      amqp_channel_close_ok_t close_ok{};
      static_cast<void>(send_method(control_channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok));
      control_open_ = false;
      if (job_running_) job_done(status);
      break;
    }
    default:
      break;
  }
}

void RabbitMqBroker::on_publish_method(Channel& channel, const amqp_method_t& method, BrokerEvents& events) {
  switch (method.id) {
    case AMQP_BASIC_ACK_METHOD: {
      const auto& ack = *static_cast<const amqp_basic_ack_t*>(method.decoded);
      settle(channel, ack.delivery_tag, ack.multiple != 0, true, events);
      break;
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto& nack = *static_cast<const amqp_basic_nack_t*>(method.decoded);
      channel.had_nack = true;
      settle(channel, nack.delivery_tag, nack.multiple != 0, false, events);
      break;
    }
    case AMQP_BASIC_RETURN_METHOD: {
      const auto& back = *static_cast<const amqp_basic_return_t*>(method.decoded);
      std::string text = "no queue took the message: the broker says " + std::to_string(back.reply_code) + " " +
                         std::string(from_amqp(back.reply_text));
      text += channel.exchange.empty()
                  ? "; declare the queue " + in_quotes(from_amqp(back.routing_key)) + ", or set params.declare"
                  : "; bind a queue to the exchange " + in_quotes(channel.exchange) + " for the routing key " +
                        in_quotes(from_amqp(back.routing_key));
      channel.returned = Returned{.text = std::move(text), .message_id = {}, .body_left = {}};
      break;
    }
    case AMQP_CHANNEL_CLOSE_METHOD: {
      const auto& close = *static_cast<const amqp_channel_close_t*>(method.decoded);
      on_channel_closed(channel, close.reply_code, from_amqp(close.reply_text), events);
      break;
    }
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
      if (channel.state != ChannelState::closing) break;  // the broker closed it at the same time
      channel.state = ChannelState::closed;
      prepare(channel);
      break;
    default:
      break;
  }
}

void RabbitMqBroker::on_return_piece(Channel& channel, const amqp_frame_t& frame) {
  const bool is_header = frame.frame_type == AMQP_FRAME_HEADER;
  if (!channel.returned || channel.returned->body_left.has_value() == is_header) {
    broken_ = Status(StatusCode::unavailable, "the broker sent part of a message that it has not announced");
    return;
  }
  Returned& returned = *channel.returned;
  if (is_header) {
    const auto& properties = *static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded);
    if ((properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0) returned.message_id = from_amqp(properties.message_id);
    returned.body_left = frame.payload.properties.body_size;
  } else {
    *returned.body_left -= std::min<std::uint64_t>(*returned.body_left, frame.payload.body_fragment.len);
  }
  if (*returned.body_left == 0) finish_return(channel);
}

/// A return carries no delivery tag, and its ack follows: the message id says which message it is.
void RabbitMqBroker::finish_return(Channel& channel) {
  const Returned returned = std::move(*channel.returned);
  channel.returned.reset();
  for (Unconfirmed& entry : channel.unconfirmed) {
    if (entry.message != nullptr && !entry.returned && entry.message->id() == returned.message_id) {
      entry.returned = Status(StatusCode::unroutable, returned.text);
      return;
    }
  }
}

void RabbitMqBroker::settle(Channel& channel, std::uint64_t tag, bool multiple, bool acknowledged,
                            BrokerEvents& events) {
  auto& unconfirmed = channel.unconfirmed;
  if (multiple && tag == 0) tag = channel.first_tag + unconfirmed.size() - 1;  // AMQP 0-9-1: all so far
  if (tag < channel.first_tag || tag - channel.first_tag >= unconfirmed.size()) {
    broken_ = Status(StatusCode::unavailable, "the broker confirmed delivery tag " + std::to_string(tag) +
                                                  ", which is not waiting for a confirmation");
    return;
  }
  const std::size_t index = tag - channel.first_tag;
  if (multiple) {
    for (std::size_t i = 0; i < index; ++i) settle_one(channel, unconfirmed[i], acknowledged, events);
  }
  settle_one(channel, unconfirmed[index], acknowledged, events);
  while (!unconfirmed.empty() && unconfirmed.front().message == nullptr) {
    unconfirmed.pop_front();
    ++channel.first_tag;
  }
}

void RabbitMqBroker::settle_one(Channel& channel, Unconfirmed& entry, bool acknowledged, BrokerEvents& events) {
  const OutboundMessage* message = std::exchange(entry.message, nullptr);
  if (message == nullptr) return;
  --channel.unsettled;
  if (entry.returned) {
    events.complete(*message, Outcome::failed(std::move(*entry.returned)));
  } else if (acknowledged) {
    events.complete(*message, Outcome::persisted());
  } else {
    // Behind the default exchange there is one queue, and it said no. An exchange may have reached others.
    events.complete(*message, Outcome::failed({StatusCode::rejected,
                                               "the broker refused the message (nack): the queue is full and its "
                                               "overflow is reject-publish, or the broker has a problem; see its log"},
                                              channel.exchange.empty() ? Persistence::not_persisted
                                                                       : Persistence::possibly_persisted));
  }
}

WaitRequest RabbitMqBroker::wait_request() const {
  WaitRequest request;
  if (!connection_) return request;  // the connector wakes the lane
  request.fd = amqp_get_sockfd(connection_.get());
  request.writable = wants_writable_;
  if (broken_ || more_to_read_) {
    request.at = last_poll_;
  } else if (const int heartbeat = amqp_get_heartbeat(connection_.get()); heartbeat > 0) {
    // rabbitmq-c sends and checks heartbeats inside its waits only.
    request.at = last_poll_ + std::chrono::milliseconds(heartbeat * 1000 / 2 - heartbeat * 1000 / 20);
  }
  return request;
}

void RabbitMqBroker::close(BrokerEvents& events, std::chrono::milliseconds timeout) {
  connector_.reset();
  if (!connection_) return;
  if (!broken_ && writable()) {
    amqp_connection_close_t goodbye{};
    goodbye.reply_code = AMQP_REPLY_SUCCESS;
    goodbye.reply_text = amqp_cstring_bytes("closed by the application");
    static_cast<void>(send_method(0, AMQP_CONNECTION_CLOSE_METHOD, &goodbye));
    const TimePoint deadline = Clock::now() + std::min(timeout, close_patience);
    while (!close_ok_ && !broken_ && Clock::now() < deadline) {
      pollfd fd{.fd = amqp_get_sockfd(connection_.get()), .events = POLLIN, .revents = 0};
      if (!more_to_read_) ::poll(&fd, 1, 10);
      read_frames(events);  // confirmations that were on their way still count
    }
  }
  for (Channel& channel : channels_) {
    fail_unconfirmed(channel, {StatusCode::unavailable, "the connection was closed before the broker confirmed"},
                     Persistence::possibly_persisted, events);
  }
  connection_.reset();
}

std::unique_ptr<Broker> make_rabbitmq(const BrokerConfig& config) {
  return std::make_unique<RabbitMqBroker>(config_as<RabbitMqConfig>(config, "RabbitMQ"));
}

}  // namespace action_triggers::detail
