// SPDX-License-Identifier: MIT
// A message's properties, its routing key, and the limits of AMQP.
#include "brokers/rabbitmq/message_encoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <functional>
#include <vector>

#include "brokers/rabbitmq/amqp_limits.hpp"
#include "unit/rabbitmq_support.hpp"

#include "action_triggers/rabbitmq.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using tests::OfferedMessage;

Message content(const std::string& body = "body") {
  Message message;
  message.body = body;
  message.id = "id";
  return message;
}

RabbitMqConfig to_queue(const std::string& queue) {
  RabbitMqConfig config;
  config.queue = queue;
  return config;
}

RabbitMqConfig to_exchange(const std::string& exchange, const std::string& routing_key) {
  RabbitMqConfig config;
  config.exchange = exchange;
  config.routing_key = routing_key;
  return config;
}

TEST(MessageEncoderTest, AQueueIsReachedThroughTheDefaultExchange) {
  const RabbitMqConfig config = to_queue("orders");
  const amqp_basic_publish_t method = publish_method(config, "key");
  EXPECT_EQ(from_amqp(method.exchange), "");
  EXPECT_EQ(from_amqp(method.routing_key), "orders");
  EXPECT_EQ(method.mandatory, 1);
}

TEST(MessageEncoderTest, AnExchangeHasARoutingKeyThatTheMessagesMayOverride) {
  RabbitMqConfig config = to_exchange("events", "default");
  config.mandatory = false;
  EXPECT_EQ(from_amqp(publish_method(config, "key").routing_key), "default");
  EXPECT_EQ(from_amqp(publish_method(config, "key").exchange), "events");
  EXPECT_EQ(publish_method(config, "key").mandatory, 0);
  config.key_as_routing_key = true;
  EXPECT_EQ(from_amqp(publish_method(config, "key").routing_key), "key");
  EXPECT_EQ(from_amqp(publish_method(config, "").routing_key), "default");
}

TEST(MessageEncoderTest, APlainMessageHasAnIdATimeAndADeliveryMode) {
  MessageEncoder encoder;
  RabbitMqConfig config = to_queue("orders");
  const OfferedMessage message(content());
  const Publish& publish = encoder.encode(config, message);
  EXPECT_EQ(publish.properties._flags,
            AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TIMESTAMP_FLAG);
  EXPECT_EQ(from_amqp(publish.properties.message_id), "id");
  EXPECT_EQ(publish.properties.delivery_mode, 2);
  EXPECT_NEAR(static_cast<double>(publish.properties.timestamp), static_cast<double>(std::time(nullptr)), 5);
  EXPECT_EQ(publish.body, "body");
  config.persistent = false;
  EXPECT_EQ(encoder.encode(config, message).properties.delivery_mode, 1);
}

TEST(MessageEncoderTest, AMessagesPropertiesComeBeforeTheConfigurations) {
  MessageEncoder encoder;
  RabbitMqConfig config = to_queue("orders");
  config.content_type = "text/plain";
  config.priority = 3;
  config.expiration = 5s;
  const OfferedMessage plain(content());
  Message own = content();
  own.content_type = "application/json";
  own.priority = 7;
  own.expiration = 250ms;
  own.headers = {{"a", "1"}, {"b", ""}};
  const OfferedMessage rich(own);
  {
    const amqp_basic_properties_t& properties = encoder.encode(config, rich).properties;
    EXPECT_EQ(from_amqp(properties.content_type), "application/json");
    EXPECT_EQ(properties.priority, 7);
    EXPECT_EQ(from_amqp(properties.expiration), "250");
    ASSERT_EQ(properties.headers.num_entries, 2);
    EXPECT_EQ(from_amqp(properties.headers.entries[0].key), "a");
    EXPECT_EQ(from_amqp(properties.headers.entries[0].value.value.bytes), "1");
    EXPECT_EQ(from_amqp(properties.headers.entries[1].key), "b");
  }
  const amqp_basic_properties_t& properties = encoder.encode(config, plain).properties;
  EXPECT_EQ(from_amqp(properties.content_type), "text/plain");
  EXPECT_EQ(properties.priority, 3);
  EXPECT_EQ(from_amqp(properties.expiration), "5000");
  EXPECT_EQ(properties._flags & AMQP_BASIC_HEADERS_FLAG, 0U) << "those of the message before it";
}

TEST(MessageEncoderTest, HeadersHaveTheirTypes) {
  Message own = content();
  own.headers = {Header::integer("i", -7),
                 Header::boolean("yes", true),
                 Header::boolean("no", false),
                 {"t", "7"},
                 Header::integer("long", -7'000'000'000)};
  const RabbitMqConfig config = to_queue("orders");
  const OfferedMessage message(own);
  MessageEncoder encoder;
  const amqp_table_t& headers = encoder.encode(config, message).properties.headers;
  ASSERT_EQ(headers.num_entries, 5);
  EXPECT_EQ(headers.entries[0].value.kind, AMQP_FIELD_KIND_I32);
  EXPECT_EQ(headers.entries[0].value.value.i32, -7);
  EXPECT_EQ(headers.entries[1].value.kind, AMQP_FIELD_KIND_BOOLEAN);
  EXPECT_EQ(headers.entries[1].value.value.boolean, 1);
  EXPECT_EQ(headers.entries[2].value.value.boolean, 0);
  EXPECT_EQ(headers.entries[3].value.kind, AMQP_FIELD_KIND_UTF8);
  EXPECT_EQ(headers.entries[4].value.kind, AMQP_FIELD_KIND_I64);
  EXPECT_EQ(headers.entries[4].value.value.i64, -7'000'000'000);
  own.headers = {{"i", "seven", HeaderType::integer}};
  const auto problem = check_message(config, OfferedMessage(own));
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->message(), "the header 'i' is no integer");
}

TEST(MessageEncoderTest, ListsAreArrays) {
  Message own = content();
  own.headers = {Header::list("CC", {"first", "se\"cond"}),
                 {"t", "7"},
                 Header::list("mixed", {"\n", -7, 7'000'000'000, true}),
                 Header::list("none", {})};
  const RabbitMqConfig config = to_queue("orders");
  const OfferedMessage message(own);
  EXPECT_FALSE(check_message(config, message));
  MessageEncoder encoder;
  const amqp_table_t& headers = encoder.encode(config, message).properties.headers;
  ASSERT_EQ(headers.num_entries, 4);
  EXPECT_EQ(from_amqp(headers.entries[0].key), "CC");
  ASSERT_EQ(headers.entries[0].value.kind, AMQP_FIELD_KIND_ARRAY);
  const amqp_array_t& copies = headers.entries[0].value.value.array;
  ASSERT_EQ(copies.num_entries, 2);
  EXPECT_EQ(copies.entries[0].kind, AMQP_FIELD_KIND_UTF8);
  EXPECT_EQ(from_amqp(copies.entries[0].value.bytes), "first");
  EXPECT_EQ(from_amqp(copies.entries[1].value.bytes), "se\"cond");
  const amqp_array_t& mixed = headers.entries[2].value.value.array;
  ASSERT_EQ(mixed.num_entries, 4);
  EXPECT_EQ(from_amqp(mixed.entries[0].value.bytes), "\n");
  EXPECT_EQ(mixed.entries[1].kind, AMQP_FIELD_KIND_I32);
  EXPECT_EQ(mixed.entries[1].value.i32, -7);
  EXPECT_EQ(mixed.entries[2].kind, AMQP_FIELD_KIND_I64);
  EXPECT_EQ(mixed.entries[2].value.i64, 7'000'000'000);
  EXPECT_EQ(mixed.entries[3].kind, AMQP_FIELD_KIND_BOOLEAN);
  EXPECT_EQ(headers.entries[3].value.value.array.num_entries, 0);
}

TEST(MessageEncoderTest, AListThatIsNoneIsRefused) {
  const RabbitMqConfig config = to_queue("orders");
  const auto problem = [&](const Header& header) {
    Message own = content();
    own.headers = {header};
    const auto status = check_message(config, OfferedMessage(own));
    return status ? status->message() : std::string();
  };
  for (const char* value : {"", "[", "a", "{}", "[1.5]", "[null]", "[[1]]", "[\"\xFF\"]"}) {
    EXPECT_EQ(problem({"l", value, HeaderType::list}), "the header 'l' is no list of texts, integers and booleans");
  }
  EXPECT_EQ(problem(Header::list("CC", {"a", 1})), "the header 'CC' lists routing keys, which are text");
  EXPECT_THAT(problem(Header::list("BCC", {std::string(256, 'x')})), HasSubstr("has 256 bytes; AMQP allows 255"));
  EXPECT_THAT(problem({"CC", "a"}), HasSubstr("make it one with Header::list"));
}

TEST(MessageEncoderTest, TheUserIdIsTheConnectionsUser) {
  RabbitMqConfig config = to_queue("orders");
  config.username = "app";
  Message own = content();
  own.properties = Properties{.user_id = "app"};
  const OfferedMessage message(own);
  EXPECT_FALSE(check_message(config, message));
  MessageEncoder encoder;
  const amqp_basic_properties_t& properties = encoder.encode(config, message).properties;
  EXPECT_NE(properties._flags & AMQP_BASIC_USER_ID_FLAG, 0U);
  EXPECT_EQ(from_amqp(properties.user_id), "app");
  config.username = "secret-user";
  const auto problem = check_message(config, message);
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->code(), StatusCode::invalid_argument);
  EXPECT_THAT(problem->message(), HasSubstr("the user_id 'app' is not the user"));
  EXPECT_THAT(problem->message(), Not(HasSubstr("secret"))) << "it may be a substituted value";
  config.auth_mechanism = RabbitMqAuthMechanism::external;  // the certificate names the user, and the broker knows whom
  EXPECT_FALSE(check_message(config, message));
}

TEST(MessageEncoderTest, PropertiesOfTheMessageAreSent) {
  const RabbitMqConfig config = to_queue("orders");
  Message own = content();
  own.properties = Properties();
  own.properties->type = "order.paid";
  own.properties->correlation_id = "c-1";
  own.properties->reply_to = "answers";
  own.properties->app_id = "shop";
  own.properties->content_encoding = "gzip";
  own.properties->timestamp.emplace(1'700'000'000'999ms);
  own.properties->tombstone = true;
  const OfferedMessage message(own);
  MessageEncoder encoder;
  const Publish& publish = encoder.encode(config, message);
  EXPECT_EQ(from_amqp(publish.properties.type), "order.paid");
  EXPECT_EQ(from_amqp(publish.properties.correlation_id), "c-1");
  EXPECT_EQ(from_amqp(publish.properties.reply_to), "answers");
  EXPECT_EQ(from_amqp(publish.properties.app_id), "shop");
  EXPECT_EQ(from_amqp(publish.properties.content_encoding), "gzip");
  EXPECT_EQ(publish.properties.timestamp, 1'700'000'000U);
  EXPECT_EQ(publish.body, "") << "a tombstone has none";
  own.properties->reply_to = std::string(256, 'x');
  ASSERT_TRUE(check_message(config, OfferedMessage(own)));
  EXPECT_THAT(check_message(config, OfferedMessage(own))->message(), HasSubstr("reply_to has 256 bytes"));
}

TEST(MessageEncoderTest, WhatIsTooLongIsRefusedAndNotCut) {
  const std::string longest(255, 'x');
  const std::string too_long(256, 'x');
  const auto problem = [](const RabbitMqConfig& config, const Message& message) {
    const auto status = check_message(config, OfferedMessage(message));
    return status ? status->message() : std::string();
  };
  RabbitMqConfig queue = to_queue("orders");
  RabbitMqConfig by_key = to_exchange("events", "default");
  by_key.key_as_routing_key = true;

  Message message = content();
  message.key = message.id = message.content_type = longest;
  message.headers = {{longest, std::string(1'000, 'x')}};
  EXPECT_EQ(problem(by_key, message), "");

  message = content();
  message.key = too_long;
  EXPECT_EQ(problem(queue, message), "") << "the key is not sent";
  EXPECT_EQ(problem(by_key, message), "the key (used as routing key) has 256 bytes; AMQP allows 255");
  message = content();
  message.id = too_long;
  EXPECT_THAT(problem(queue, message), HasSubstr("the message id has 256 bytes"));
  message = content();
  message.content_type = too_long;
  EXPECT_THAT(problem(queue, message), HasSubstr("the content type has 256 bytes"));
  message = content();
  message.headers = {{"fine", ""}, {too_long, ""}};
  EXPECT_THAT(problem(queue, message), HasSubstr("the name of a header has 256 bytes"));
  for (const char* name : {"CC", "BCC"}) {
    message.headers = {{name, "x"}, {"fine", ""}};
    EXPECT_THAT(problem(queue, message), HasSubstr(std::string("the header '") + name + "'"));
  }
  message.headers = {{"cc", "x"}};
  EXPECT_EQ(problem(queue, message), "") << "means nothing to RabbitMQ";
  message.headers = {{"", "x"}};
  EXPECT_EQ(problem(queue, message), "a header has no name");
}

TEST(MessageEncoderTest, WhatWouldCloseTheChannelIsRefused) {
  RabbitMqConfig config = to_queue("orders");
  Message own = content();
  own.expiration = 4'294'967'295ms;
  own.properties = Properties();
  own.properties->reply_to = "amq.rabbitmq.reply-to.g1h2";
  EXPECT_FALSE(check_message(config, OfferedMessage(own)));
  own.expiration = 4'294'967'296ms;
  ASSERT_TRUE(check_message(config, OfferedMessage(own)));
  EXPECT_EQ(check_message(config, OfferedMessage(own))->message(),
            "the expiration is 4294967296 ms; RabbitMQ allows 4294967295");
  own.expiration.reset();
  config.expiration = 4'294'967'296ms;
  EXPECT_TRUE(check_message(config, OfferedMessage(own)));
  config.expiration.reset();
  own.properties->reply_to = "amq.rabbitmq.reply-to";
  ASSERT_TRUE(check_message(config, OfferedMessage(own)));
  EXPECT_THAT(check_message(config, OfferedMessage(own))->message(), HasSubstr("only from who consumes from it"));
}

TEST(MessageEncoderTest, HeadersAndPropertiesTogetherFitOneFrame) {
  MessageEncoder encoder;
  const RabbitMqConfig config = to_queue("orders");
  Message own = content(std::string(1'000'000, 'x'));
  own.headers = {{"h", std::string(3'000, 'x')}, Header::integer("i", 1)};
  own.properties = Properties();
  own.properties->correlation_id = own.properties->reply_to = std::string(255, 'x');
  const OfferedMessage message(own);
  Publish& publish = encoder.encode(config, message);
  std::string bytes(200'000, '\0');
  const std::size_t size = encode_envelope(bytes, amqp_frame_max, 7, publish);
  std::string method_frame(1'000, '\0');
  const std::size_t header_size = size - encode_method(method_frame, 7, AMQP_BASIC_PUBLISH_METHOD, &publish.method);
  EXPECT_EQ(encode_envelope(bytes, header_size, 7, publish), size);
  EXPECT_EQ(encode_envelope(bytes, header_size - 1, 7, publish), 0U);
  EXPECT_EQ(headers_fit_no_frame(8'192).code(), StatusCode::invalid_argument);
  EXPECT_THAT(headers_fit_no_frame(8'192).message(), HasSubstr("one frame of 8192 bytes"));
  EXPECT_THAT(headers_fit_no_frame(8'192).message(), HasSubstr("frame_max on the broker"));
  EXPECT_THAT(headers_fit_no_frame(amqp_frame_max).message(), Not(HasSubstr("on the broker"))) << "it is ours";
}

TEST(MessageEncoderTest, FramesHaveTheSizeThatTheyNeed) {
  MessageEncoder encoder;
  const RabbitMqConfig config = to_queue("orders");
  const OfferedMessage message(content("12345"));
  Publish& publish = encoder.encode(config, message);
  amqp_channel_open_t open{};
  for (const auto& encode : std::vector<std::function<std::size_t(std::span<char>)>>{
           [&](std::span<char> to) { return encode_envelope(to, amqp_frame_max, 7, publish); },
           [&](std::span<char> to) { return encode_body(to, 7, publish.body); },
           [&](std::span<char> to) { return encode_method(to, 7, AMQP_CHANNEL_OPEN_METHOD, &open); },
           [&](std::span<char> to) { return encode_heartbeat(to); }}) {
    std::string bytes(1'000, '\0');
    const std::size_t size = encode(bytes);
    ASSERT_GT(size, 0U);
    EXPECT_EQ(static_cast<unsigned char>(bytes[size - 1]), AMQP_FRAME_END);
    for (std::size_t less = 0; less < size; ++less) EXPECT_EQ(encode(std::span(bytes).first(less)), 0U);
    EXPECT_EQ(encode(std::span(bytes).first(size)), size);
  }
}

}  // namespace
}  // namespace action_triggers::detail
