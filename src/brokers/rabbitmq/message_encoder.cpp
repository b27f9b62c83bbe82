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

#include "base/text.hpp"
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

constexpr std::chrono::milliseconds longest_expiration{4'294'967'295};  // RabbitMQ closes the channel at a longer one

Status invalid(std::string text) { return {StatusCode::invalid_argument, std::move(text)}; }

std::optional<Status> check_length(const char* what, std::string_view text) {
  if (text.size() <= amqp_short_string_limit) return std::nullopt;
  return invalid(std::string("the ") + what + " has " + std::to_string(text.size()) + " bytes; AMQP allows 255");
}

amqp_table_entry_t entry_of(HeaderView header, HeaderLists& lists) {
  switch (header.type) {
    case HeaderType::integer:
      return {to_amqp(header.name), narrowed(parse_number<std::int64_t>(header.value).value_or(0))};
    case HeaderType::list:
      return {to_amqp(header.name), lists.add(header.value)};
    case HeaderType::boolean:
      return boolean_entry(header.name, header.value == "true");
    default:
      return text_entry(header.name, header.value);
  }
}

std::optional<std::int64_t> integer_in(const amqp_field_value_t& value) {
  if (value.kind == AMQP_FIELD_KIND_I32) return value.value.i32;
  if (value.kind == AMQP_FIELD_KIND_I64) return value.value.i64;
  return std::nullopt;
}

bool are_equal(const amqp_table_entry_t& one, const amqp_table_entry_t& other) {
  if (from_amqp(one.key) != from_amqp(other.key)) return false;
  if (const auto integer = integer_in(one.value)) return integer == integer_in(other.value);
  if (one.value.kind != other.value.kind) return false;
  if (one.value.kind == AMQP_FIELD_KIND_BOOLEAN) return one.value.value.boolean == other.value.value.boolean;
  return one.value.kind != AMQP_FIELD_KIND_UTF8 ||
         from_amqp(one.value.value.bytes) == from_amqp(other.value.value.bytes);
}

/// A property of text: where a message has it, and where AMQP.
struct TextProperty {
  const char* name;
  std::string_view PropertiesView::*from;
  amqp_flags_t flag;
  amqp_bytes_t amqp_basic_properties_t::*to;
};
constexpr TextProperty text_properties[] = {
    {"type", &PropertiesView::type, AMQP_BASIC_TYPE_FLAG, &amqp_basic_properties_t::type},
    {"correlation_id", &PropertiesView::correlation_id, AMQP_BASIC_CORRELATION_ID_FLAG,
     &amqp_basic_properties_t::correlation_id},
    {"reply_to", &PropertiesView::reply_to, AMQP_BASIC_REPLY_TO_FLAG, &amqp_basic_properties_t::reply_to},
    {"app_id", &PropertiesView::app_id, AMQP_BASIC_APP_ID_FLAG, &amqp_basic_properties_t::app_id},
    {"content_encoding", &PropertiesView::content_encoding, AMQP_BASIC_CONTENT_ENCODING_FLAG,
     &amqp_basic_properties_t::content_encoding},
    {"user_id", &PropertiesView::user_id, AMQP_BASIC_USER_ID_FLAG, &amqp_basic_properties_t::user_id},
};

std::optional<std::chrono::milliseconds> expiration_of(const RabbitMqConfig& config, const OutboundMessage& message) {
  return message.expiration() ? message.expiration() : config.expiration;
}

std::optional<Status> check_properties(const RabbitMqConfig& config, const PropertiesView& more) {
  std::optional<Status> problem;
  for (const TextProperty& property : text_properties) {
    if (!problem) problem = check_length(property.name, more.*property.from);
  }
  const bool knows_user = config.auth_mechanism == RabbitMqAuthMechanism::plain;
  if (!problem && knows_user && !more.user_id.empty() &&
      more.user_id != config.username) {  // it would close the channel
    problem = invalid("the user_id '" + std::string(more.user_id) +
                      "' is not the user of the connection, as whom RabbitMQ takes messages only; leave it empty");
  }
  if (!problem && more.reply_to == "amq.rabbitmq.reply-to") {  // it would close the channel
    problem = invalid("RabbitMQ takes the reply_to 'amq.rabbitmq.reply-to' only from who consumes from it");
  }
  return problem;
}

std::string_view text_in(const amqp_basic_properties_t& properties, amqp_flags_t flag,
                         amqp_bytes_t amqp_basic_properties_t::*member) {
  return (properties._flags & flag) != 0 ? from_amqp(properties.*member) : std::string_view();
}

void set_properties(amqp_basic_properties_t& properties, const PropertiesView& more) {
  for (const TextProperty& property : text_properties) {
    if ((more.*property.from).empty()) continue;
    properties._flags |= property.flag;
    properties.*property.to = to_amqp(more.*property.from);
  }
  if (more.timestamp) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*more.timestamp).time_since_epoch();
    properties.timestamp = static_cast<std::uint64_t>(std::max<std::int64_t>(seconds.count(), 0));
  }
}

std::optional<Status> check_list(HeaderView header) {
  const auto list = list_of(header.value);
  if (!list) {
    return invalid("the header '" + std::string(header.name) + "' is no list of texts, integers and booleans");
  }
  if (header.name != "CC" && header.name != "BCC") return std::nullopt;
  for (const Node& item : *list) {
    if (!item.is(Node::Kind::string)) {
      return invalid("the header '" + std::string(header.name) + "' lists routing keys, which are text");
    }
    if (auto problem = check_length("routing key in CC or BCC", item.string)) return problem;
  }
  return std::nullopt;
}

std::optional<Status> check_header(HeaderView header) {
  if (header.name.empty()) return invalid("a header has no name");
  if (auto too_long = check_length("name of a header", header.name)) return too_long;
  if (header.type == HeaderType::list) return check_list(header);
  if (header.name == "CC" || header.name == "BCC") {  // it would close the channel
    return invalid("RabbitMQ takes the header '" + std::string(header.name) +
                   "' for a list of further routing keys; make it one with Header::list, or give it another name");
  }
  if (header.type == HeaderType::integer && !parse_number<std::int64_t>(header.value)) {
    return invalid("the header '" + std::string(header.name) + "' is no integer");
  }
  return std::nullopt;
}

std::optional<Status> check_headers(const OutboundMessage& message) {
  std::optional<Status> problem;
  message.for_each_header([&](HeaderView header) {
    if (auto wrong = check_header(header)) problem = std::move(wrong);
  });
  return problem;
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

std::string_view message_id_of(const amqp_basic_properties_t& properties) {
  return text_in(properties, AMQP_BASIC_MESSAGE_ID_FLAG, &amqp_basic_properties_t::message_id);
}

bool agree(const amqp_basic_properties_t& returned, const OutboundMessage& sent) {
  const PropertiesView more = sent.properties().value_or(PropertiesView());
  for (const TextProperty& property : text_properties) {
    if (text_in(returned, property.flag, property.to) != more.*property.from) return false;
  }
  const bool has_headers = (returned._flags & AMQP_BASIC_HEADERS_FLAG) != 0;
  const std::span headers(returned.headers.entries, has_headers ? std::size_t(returned.headers.num_entries) : 0);
  HeaderLists lists;
  std::size_t found = 0;
  sent.for_each_header([&](HeaderView header) {
    const amqp_table_entry_t expected = entry_of(header, lists);
    found += std::any_of(headers.begin(), headers.end(),
                         [&](const amqp_table_entry_t& other) { return are_equal(expected, other); });
  });
  return found == sent.header_count() && found == headers.size();
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

std::optional<Status> check_message(const RabbitMqConfig& config, const OutboundMessage& message) {
  std::optional<Status> problem;
  if (config.key_as_routing_key) problem = check_length("key (used as routing key)", message.key());
  if (!problem) problem = check_length("message id", message.id());
  if (const auto time = expiration_of(config, message); time && *time > longest_expiration && !problem) {
    problem = invalid("the expiration is " + std::to_string(time->count()) + " ms; RabbitMQ allows " +
                      std::to_string(longest_expiration.count()));
  }
  if (!problem) problem = check_length("content type", message.content_type());
  if (const auto more = message.properties(); more && !problem) problem = check_properties(config, *more);
  return problem ? problem : check_headers(message);
}

Status headers_fit_no_frame(std::size_t frame_max) {
  std::string text = "the headers and properties do not fit one frame of " + std::to_string(frame_max) +
                     " bytes; make them shorter, or put them into the body";
  if (frame_max < amqp_frame_max) text += ", or raise frame_max on the broker";
  return invalid(std::move(text));
}

std::string_view body_of(const OutboundMessage& message) {
  const auto more = message.properties();
  return more && more->tombstone ? std::string_view() : message.body();
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
  if (const auto time = expiration_of(config, message)) {
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
  publish_.body = body_of(message);
  if (const auto more = message.properties()) set_properties(properties, *more);
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

std::size_t encode_envelope(std::span<char> to, std::size_t frame_max, amqp_channel_t channel, Publish& publish) {
  FrameWriter writer(to);
  write_method(writer, channel, AMQP_BASIC_PUBLISH_METHOD, &publish.method);
  const std::size_t method_size = writer.written();
  writer.frame(AMQP_FRAME_HEADER, channel, [&] {
    writer.number(AMQP_BASIC_CLASS, 2);
    writer.number(0, 2);  // "weight", unused
    writer.number(publish.body.size(), 8);
    writer.encoded([&](amqp_bytes_t at) { return amqp_encode_properties(AMQP_BASIC_CLASS, &publish.properties, at); });
  });
  return writer.written() - method_size <= frame_max ? written(writer) : 0;
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
