// SPDX-License-Identifier: MIT
// A message's bytes in one block: what went in comes out.
#include "core/payload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "action_triggers/testing/outbound_message.hpp"

namespace action_triggers::detail {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr MessageId some_id{0x0123456789ABCDEFU, 0xFEDCBA9876543210U};
constexpr const char* some_text = "01234567-89ab-cdef-fedc-ba9876543210";

/// In memory of exactly the size that it asks for: AddressSanitizer sees one byte more.
class Made {
 public:
  explicit Made(const Message& message) : Made(MessageParts{message.body, &message}) {}
  explicit Made(const MessageParts& parts)
      : trailing_(Payload::trailing_bytes(parts, Payload::counted_bytes(parts))),
        memory_(std::make_unique<std::byte[]>(sizeof(Payload) + trailing_)),
        payload_(Payload::make_at(memory_.get(), parts, some_id)) {}
  Payload* operator->() { return payload_; }

 private:
  const std::size_t trailing_;
  const std::unique_ptr<std::byte[]> memory_;
  Payload* const payload_;
};

TEST(PayloadTest, KeepsEveryByte) {
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
  Message message;
  message.body = every_byte + "\0"s + every_byte;
  message.key = "k\0ey"s;
  message.content_type = "text/\0"s;
  message.id = "\0id"s;
  Made payload(message);
  payload->write_id();
  EXPECT_EQ(payload->body(), message.body);
  EXPECT_EQ(payload->key(), message.key);
  EXPECT_EQ(payload->content_type(), message.content_type);
  EXPECT_EQ(payload->id(), message.id);
}

TEST(PayloadTest, AMessageWithoutAnIdGetsOneAsText) {
  Made only_body(MessageParts{"body", nullptr});
  only_body->write_id();
  EXPECT_EQ(only_body->id(), some_text);
  only_body->write_id();
  EXPECT_EQ(only_body->id(), some_text) << "writing it again changes nothing";
  EXPECT_EQ(only_body->body(), "body");

  Message message;
  message.body = "body";
  message.headers = {{"name", "value"}};
  Made with_rest(message);
  with_rest->write_id();
  EXPECT_EQ(with_rest->id(), some_text);
}

TEST(PayloadTest, AnEmptyMessageHasNothingButItsId) {
  Made payload(MessageParts{});
  payload->write_id();
  EXPECT_EQ(payload->body(), "");
  EXPECT_EQ(payload->key(), "");
  EXPECT_EQ(payload->content_type(), "");
  EXPECT_EQ(payload->id(), some_text);
  EXPECT_EQ(payload->header_count(), 0U);
  EXPECT_EQ(payload->expiration_ms(), std::nullopt);
  EXPECT_EQ(payload->priority(), -1);
  EXPECT_EQ(Payload::counted_bytes({}), 0U);
}

TEST(PayloadTest, KeepsExpirationAndPriority) {
  Message message;
  message.expiration = 90'000ms;
  message.priority = 255;
  EXPECT_EQ(Made(message)->expiration_ms(), 90'000);
  EXPECT_EQ(Made(message)->priority(), 255);
  message.expiration = -5ms;
  message.priority = 0;
  EXPECT_EQ(Made(message)->expiration_ms(), 0);
  EXPECT_EQ(Made(message)->priority(), 0);
}

TEST(PayloadTest, KeepsPropertiesBesideEverythingElse) {
  Message message;
  message.body = "body";
  message.expiration = 5ms;
  message.properties = Properties{.type = "order.paid",
                                  .reply_to = "answers",
                                  .content_encoding = "gzip",
                                  .user_id = "app",
                                  .timestamp = std::chrono::sys_time<std::chrono::milliseconds>(1'700'000'000'123ms),
                                  .partition = 3,
                                  .tombstone = true};
  message.headers = {Header::integer("n", -42), Header::boolean("b", true), {"t", "text"}, Header::list("l", {"x", 1})};
  Made payload(message);
  payload->write_id();
  ASSERT_TRUE(payload->has_properties());
  const PropertiesView properties = payload->properties();
  EXPECT_EQ(properties.type, "order.paid");
  EXPECT_EQ(properties.correlation_id, "");
  EXPECT_EQ(properties.reply_to, "answers");
  EXPECT_EQ(properties.app_id, "");
  EXPECT_EQ(properties.content_encoding, "gzip");
  EXPECT_EQ(properties.user_id, "app");
  EXPECT_EQ(properties.timestamp, message.properties->timestamp);
  EXPECT_EQ(properties.partition, 3);
  EXPECT_TRUE(properties.tombstone);
  EXPECT_EQ(payload->expiration_ms(), 5);
}

TEST(PayloadTest, EachPropertyAloneIsKept) {
  const auto with = [](auto set) {
    Message message;
    message.headers = {{"name", "value"}, Header::list("CC", {"a", "b"})};
    message.properties = Properties();
    set(*message.properties);
    const BrokerConfig config;
    const testing::OfferedMessage offered(message, config);
    Message copy = offered.copy();
    copy.id = message.id;
    EXPECT_EQ(copy, message);
    EXPECT_TRUE(offered.properties().has_value());
  };
  with([](Properties& properties) { properties.type = "t"; });
  with([](Properties& properties) { properties.correlation_id = "c"; });
  with([](Properties& properties) { properties.reply_to = "r"; });
  with([](Properties& properties) { properties.app_id = "a"; });
  with([](Properties& properties) { properties.content_encoding = "e"; });
  with([](Properties& properties) { properties.user_id = "u"; });
  with([](Properties& properties) { properties.timestamp.emplace(0ms); });
  with([](Properties& properties) { properties.partition = 0; });
  with([](Properties& properties) { properties.tombstone = true; });
}

TEST(PayloadTest, AListIsAJsonArray) {
  EXPECT_EQ(Header::list("l", {}).value, "[]");
  EXPECT_EQ(Header::list("l", {"a"}).value, R"(["a"])");
  EXPECT_EQ(Header::list("l", {"a", 42, true, std::int64_t{-7}, false, ""}).value, R"(["a",42,true,-7,false,""])");
  EXPECT_EQ(Header::list("l", {"say \"a\\b\"\n"}).value, R"(["say \"a\\b\"\u000a"])");
  EXPECT_EQ(Header::list("l", {std::string(1, '\0')}).value, R"(["\u0000"])");
  EXPECT_EQ(Header::list("l", {}).type, HeaderType::list);
}

TEST(PayloadTest, AMessageWithoutPropertiesPaysNothingForThem) {
  Message message;
  message.body = "body";
  message.headers = {Header::integer("n", 1)};
  EXPECT_FALSE(Made(message)->has_properties());
  EXPECT_EQ(Payload::counted_bytes({message.body, &message}), 4U + 8 + 1 + 1);
  static_assert(sizeof(Payload) == 28);
  static_assert(sizeof(Message) <= 184, "a pointer more than without them");
}

TEST(PayloadTest, CountsBodyKeyTypeIdAndHeaders) {
  Message message;
  message.body = "12345";
  message.key = "123";
  message.content_type = "12";
  message.id = "1234567";
  message.headers = {{"a", "bb"}, {"", ""}};
  EXPECT_EQ(Payload::counted_bytes({message.body, &message}), 5U + 3 + 2 + 7 + 2 * 8 + 3);
  EXPECT_EQ(Payload::counted_bytes({message.body, nullptr}), 5U);
}

TEST(PayloadTest, TheLastReferenceIsTheLast) {
  Made payload(MessageParts{"body", nullptr});
  payload->add_reference();
  payload->add_reference();
  EXPECT_FALSE(payload->drop_reference());
  EXPECT_FALSE(payload->drop_reference());
  EXPECT_TRUE(payload->drop_reference());
}

}  // namespace
}  // namespace action_triggers::detail
