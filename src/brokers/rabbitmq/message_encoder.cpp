// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/message_encoder.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>

#include "brokers/rabbitmq/amqp_limits.hpp"

namespace action_triggers::detail {
namespace {

/// Appends to a range of bytes until it is full. Numbers are big-endian (AMQP 0-9-1, 4.2).
class FrameWriter {
 public:
  explicit FrameWriter(std::span<char> to) : begin_(to.data()), at_(begin_), end_(begin_ + to.size()) {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::size_t written() const { return static_cast<std::size_t>(at_ - begin_); }

  void number(std::uint64_t value, std::size_t bytes) {
    if (!fits(bytes)) return;
    for (std::size_t i = bytes; i-- > 0; value >>= 8U) at_[i] = static_cast<char>(value & 0xFFU);
    at_ += bytes;
  }
  void text(std::string_view text) {
    if (!fits(text.size())) return;
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  /// What one of rabbitmq-c's encoders makes: a number of bytes, or an error.
  template <class Encode>
  void encoded(Encode&& encode) {
    if (failed_) return;
    const int size = encode(amqp_bytes_t{capacity(), at_});
    if (size < 0) {
      failed_ = true;
    } else {
      at_ += size;
    }
  }
  /// AMQP 0-9-1, 2.3.5: type, channel, size, payload, end.
  template <class WritePayload>
  void frame(int type, amqp_channel_t channel, WritePayload&& write_payload) {
    number(static_cast<std::uint64_t>(type), 1);
    number(channel, 2);
    char* const size_at = at_;
    number(0, 4);
    write_payload();
    if (failed_) return;
    const auto size = static_cast<std::uint64_t>(at_ - size_at) - 4;
    FrameWriter({size_at, 4}).number(size, 4);
    number(AMQP_FRAME_END, 1);
  }

 private:
  [[nodiscard]] std::size_t capacity() const { return static_cast<std::size_t>(end_ - at_); }
  bool fits(std::size_t bytes) {
    failed_ = failed_ || bytes > capacity();
    return !failed_;
  }

  char* const begin_;
  char* at_;
  char* const end_;
  bool failed_ = false;
};

Status invalid(std::string text) { return {StatusCode::invalid_argument, std::move(text)}; }

std::optional<Status> check_length(const char* what, std::string_view text) {
  if (text.size() <= amqp_short_string_limit) return std::nullopt;
  return invalid(std::string("the ") + what + " has " + std::to_string(text.size()) + " bytes; AMQP allows 255");
}

std::optional<std::int64_t> integer_of(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

amqp_table_entry_t entry_of(HeaderView header, HeaderLists& lists) {
  switch (header.type) {
    case HeaderType::integer:
      return {to_amqp(header.name), narrowed(integer_of(header.value).value_or(0))};
    case HeaderType::list:
      return {to_amqp(header.name), lists.add(header.value)};
    case HeaderType::boolean:
      return boolean_entry(header.name, header.value == "true");
    default:
      return text_entry(header.name, header.value);
  }
}

std::optional<Status> check_properties(const RabbitMqConfig& config, const PropertiesView& more) {
  std::optional<Status> problem = check_length("type", more.type);
  if (!problem) problem = check_length("correlation_id", more.correlation_id);
  if (!problem) problem = check_length("reply_to", more.reply_to);
  if (!problem) problem = check_length("app_id", more.app_id);
  if (!problem) problem = check_length("content_encoding", more.content_encoding);
  if (!problem && !more.user_id.empty() && more.user_id != config.username) {  // it would close the channel
    problem = invalid("the user_id '" + std::string(more.user_id) +
                      "' is not the user of the connection, as whom RabbitMQ takes messages only; leave it empty");
  }
  return problem;
}

void set_properties(amqp_basic_properties_t& properties, const PropertiesView& more) {
  const auto set = [&](std::string_view text, amqp_flags_t flag, amqp_bytes_t amqp_basic_properties_t::*member) {
    if (text.empty()) return;
    properties._flags |= flag;
    properties.*member = to_amqp(text);
  };
  set(more.type, AMQP_BASIC_TYPE_FLAG, &amqp_basic_properties_t::type);
  set(more.correlation_id, AMQP_BASIC_CORRELATION_ID_FLAG, &amqp_basic_properties_t::correlation_id);
  set(more.reply_to, AMQP_BASIC_REPLY_TO_FLAG, &amqp_basic_properties_t::reply_to);
  set(more.app_id, AMQP_BASIC_APP_ID_FLAG, &amqp_basic_properties_t::app_id);
  set(more.content_encoding, AMQP_BASIC_CONTENT_ENCODING_FLAG, &amqp_basic_properties_t::content_encoding);
  set(more.user_id, AMQP_BASIC_USER_ID_FLAG, &amqp_basic_properties_t::user_id);
  if (more.timestamp) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*more.timestamp).time_since_epoch();
    properties.timestamp = static_cast<std::uint64_t>(std::max<std::int64_t>(seconds.count(), 0));
  }
}

/// `bytes`: what it takes beside the text of its value.
std::optional<Status> check_list(HeaderView header, std::size_t& bytes) {
  constexpr std::size_t around_item = 9;  // a 64-bit integer and its type
  const auto list = list_of(header.value);
  if (!list) {
    return invalid("the header '" + std::string(header.name) + "' is no list of texts, integers and booleans");
  }
  bytes += list->size() * around_item;
  if (header.name != "CC" && header.name != "BCC") return std::nullopt;
  for (const Node& item : *list) {
    if (!item.is(Node::Kind::string)) {
      return invalid("the header '" + std::string(header.name) + "' lists routing keys, which are text");
    }
    if (auto problem = check_length("routing key in CC or BCC", item.string)) return problem;
  }
  return std::nullopt;
}

/// `bytes` is added to.
std::optional<Status> check_header(HeaderView header, std::size_t& bytes) {
  constexpr std::size_t around_header = 6;  // the lengths of name and value, and the value's type
  bytes += header.name.size() + header.value.size() + around_header;
  if (header.name.empty()) return invalid("a header has no name");
  if (auto too_long = check_length("name of a header", header.name)) return too_long;
  if (header.type == HeaderType::list) return check_list(header, bytes);
  if (header.name == "CC" || header.name == "BCC") {  // it would close the channel
    return invalid("RabbitMQ takes the header '" + std::string(header.name) +
                   "' for a list of further routing keys; make it one with Header::list, or give it another name");
  }
  if (header.type == HeaderType::integer && !integer_of(header.value)) {
    return invalid("the header '" + std::string(header.name) + "' is no integer");
  }
  return std::nullopt;
}

std::optional<Status> check_headers(const OutboundMessage& message, std::size_t frame_max) {
  std::size_t bytes = envelope_estimate + message.id().size() + message.content_type().size();
  if (const auto more = message.properties()) {
    bytes += more->type.size() + more->correlation_id.size() + more->reply_to.size() + more->app_id.size() +
             more->content_encoding.size() + more->user_id.size();
  }
  std::optional<Status> problem;
  message.for_each_header([&](HeaderView header) {
    if (auto wrong = check_header(header, bytes)) problem = std::move(wrong);
  });
  if (problem || bytes <= frame_max) return problem;
  return invalid("the headers take about " + std::to_string(bytes) + " bytes; they must fit one frame of " +
                 std::to_string(frame_max));
}

}  // namespace

void set_message_id(amqp_basic_properties_t& properties, std::string_view id) {
  properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
  properties.message_id = to_amqp(id);
}

void set_content_type(amqp_basic_properties_t& properties, std::string_view content_type) {
  properties._flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
  properties.content_type = to_amqp(content_type);
}

void set_headers(amqp_basic_properties_t& properties, std::span<amqp_table_entry_t> entries) {
  properties._flags |= AMQP_BASIC_HEADERS_FLAG;
  properties.headers = {static_cast<int>(entries.size()), entries.data()};
}

std::string_view routing_key_of(const RabbitMqConfig& config, std::string_view key) {
  if (config.key_as_routing_key && !key.empty()) return key;
  return config.exchange.empty() ? config.queue : config.routing_key;
}

amqp_basic_publish_t publish_method(const RabbitMqConfig& config, std::string_view key) {
  amqp_basic_publish_t method{};
  method.exchange = to_amqp(config.exchange);
  method.routing_key = to_amqp(routing_key_of(config, key));
  method.mandatory = config.mandatory ? 1 : 0;
  return method;
}

std::optional<Status> check_message(const RabbitMqConfig& config, const OutboundMessage& message,
                                    std::size_t frame_max) {
  std::optional<Status> problem;
  if (config.key_as_routing_key) problem = check_length("key (used as routing key)", message.key());
  if (!problem) problem = check_length("message id", message.id());
  if (!problem) problem = check_length("content type", message.content_type());
  if (const auto more = message.properties(); more && !problem) problem = check_properties(config, *more);
  return problem ? problem : check_headers(message, frame_max);
}

Publish& MessageEncoder::encode(const RabbitMqConfig& config, const OutboundMessage& message) {
  amqp_basic_properties_t& properties = publish_.properties;
  properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TIMESTAMP_FLAG;
  properties.delivery_mode = config.persistent ? 2 : 1;
  properties.timestamp = static_cast<std::uint64_t>(std::time(nullptr));
  set_message_id(properties, message.id());
  const std::string_view content_type = message.content_type().empty() ? config.content_type : message.content_type();
  if (!content_type.empty()) set_content_type(properties, content_type);
  if (const auto priority = message.priority() ? message.priority() : config.priority) {
    properties._flags |= AMQP_BASIC_PRIORITY_FLAG;
    properties.priority = *priority;
  }
  if (const auto time = message.expiration() ? message.expiration() : config.expiration) {
    const auto end = std::to_chars(std::begin(expiration_), std::end(expiration_), time->count()).ptr;
    properties._flags |= AMQP_BASIC_EXPIRATION_FLAG;
    properties.expiration = to_amqp({expiration_, static_cast<std::size_t>(end - expiration_)});
  }
  if (message.header_count() > 0) {
    headers_.clear();
    lists_.clear();
    message.for_each_header([&](HeaderView header) { headers_.push_back(entry_of(header, lists_)); });
    set_headers(properties, headers_);
  }
  publish_.method = publish_method(config, message.key());
  publish_.body = message.body();
  if (const auto more = message.properties()) {
    set_properties(properties, *more);
    if (more->tombstone) publish_.body = {};
  }
  return publish_;
}

namespace {

std::size_t written(const FrameWriter& writer) { return writer.failed() ? 0 : writer.written(); }

void write_method(FrameWriter& writer, amqp_channel_t channel, amqp_method_number_t method, void* decoded) {
  writer.frame(AMQP_FRAME_METHOD, channel, [&] {
    writer.number(method, 4);
    writer.encoded([&](amqp_bytes_t at) { return amqp_encode_method(method, decoded, at); });
  });
}

}  // namespace

std::size_t encode_method(std::span<char> to, amqp_channel_t channel, amqp_method_number_t method, void* decoded) {
  FrameWriter writer(to);
  write_method(writer, channel, method, decoded);
  return written(writer);
}

std::size_t encode_envelope(std::span<char> to, amqp_channel_t channel, Publish& publish) {
  FrameWriter writer(to);
  write_method(writer, channel, AMQP_BASIC_PUBLISH_METHOD, &publish.method);
  writer.frame(AMQP_FRAME_HEADER, channel, [&] {
    writer.number(AMQP_BASIC_CLASS, 2);
    writer.number(0, 2);  // "weight", unused
    writer.number(publish.body.size(), 8);
    writer.encoded([&](amqp_bytes_t at) { return amqp_encode_properties(AMQP_BASIC_CLASS, &publish.properties, at); });
  });
  return written(writer);
}

std::size_t encode_body(std::span<char> to, amqp_channel_t channel, std::string_view part) {
  FrameWriter writer(to);
  writer.frame(AMQP_FRAME_BODY, channel, [&] { writer.text(part); });
  return written(writer);
}

std::size_t encode_heartbeat(std::span<char> to) {
  FrameWriter writer(to);
  writer.frame(AMQP_FRAME_HEARTBEAT, 0, [] {});
  return written(writer);
}

}  // namespace action_triggers::detail
