// SPDX-License-Identifier: MIT
#include "brokers/rabbitmq/outgoing_frames.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace action_triggers::detail {
namespace {

using Room = OutgoingFrames::Room;

constexpr amqp_channel_t channel = 7;
constexpr amqp_channel_t other_channel = 8;
constexpr std::size_t frame_max = 65'536;  // what a new connection of rabbitmq-c reads
constexpr std::size_t frame_payload = frame_max - frame_overhead;

bool add(OutgoingFrames& frames, const std::string& queue, std::string_view body, const std::string& id = "id",
         amqp_channel_t on = channel) {
  Publish publish;
  publish.method.exchange = amqp_empty_bytes;
  publish.method.routing_key = to_amqp(queue);
  publish.method.mandatory = 1;
  publish.properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
  publish.properties.delivery_mode = 2;
  set_message_id(publish.properties, id);
  publish.body = body;
  return frames.add_publish(on, publish);
}

/// Writes up to so many bytes, a piece at a time.
std::string written(OutgoingFrames& frames, std::size_t most = std::string::npos, std::size_t piece = 10'000) {
  std::string all;
  while (all.size() < most) {
    const std::string_view next = frames.next().substr(0, std::min(piece, most - all.size()));
    if (next.empty()) break;
    all += next;
    frames.written(next.size());
  }
  return all;
}

/// The frames of `bytes`, as rabbitmq-c reads them.
class Frames {
 public:
  explicit Frames(std::string bytes) : bytes_(std::move(bytes)) {}
  /// The next frame; frame_type 0: there is none.
  amqp_frame_t next() {
    amqp_frame_t frame{};
    while (frame.frame_type == 0 && at_ < bytes_.size()) {
      const int used = amqp_handle_input(state_.get(), to_amqp(std::string_view(bytes_).substr(at_)), &frame);
      EXPECT_GT(used, 0) << amqp_error_string2(used);
      if (used <= 0) break;
      at_ += static_cast<std::size_t>(used);
    }
    return frame;
  }
  /// What kind of frame comes next, and on which channel: "publish 7", "header 7", "body 7 4", "open 8", …
  std::string next_name() {
    const amqp_frame_t frame = next();
    const std::string on = " " + std::to_string(frame.channel);
    switch (frame.frame_type) {
      case 0:
        return "nothing";
      case AMQP_FRAME_HEADER:
        return "header" + on;
      case AMQP_FRAME_BODY:
        return "body" + on + " " + std::to_string(frame.payload.body_fragment.len);
      case AMQP_FRAME_HEARTBEAT:
        return "heartbeat" + on;
      default:
        return (frame.payload.method.id == AMQP_BASIC_PUBLISH_METHOD
                    ? "publish"
                    : std::string(amqp_method_name(frame.payload.method.id))) +
               on;
    }
  }
  std::vector<std::string> names() {
    std::vector<std::string> names;
    for (std::string name = next_name(); name != "nothing"; name = next_name()) names.push_back(std::move(name));
    return names;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
  AmqpHandle state_{amqp_new_connection()};
};

using Names = std::vector<std::string>;

bool add_channel_open(OutgoingFrames& frames, amqp_channel_t on) {
  amqp_channel_open_t open{};
  return frames.add_method(on, AMQP_CHANNEL_OPEN_METHOD, &open);
}

TEST(OutgoingFramesTest, WritesTheFramesOfEachMessageInOrder) {
  OutgoingFrames outgoing(frame_max);
  const std::vector<std::string> bodies{"first", "", std::string(50'000, 'x'), std::string("\0\xCE", 2)};
  for (const std::string& body : bodies) ASSERT_TRUE(add(outgoing, "orders", body, "id of " + body.substr(0, 5)));
  Frames frames(written(outgoing));
  EXPECT_TRUE(outgoing.empty());
  for (const std::string& body : bodies) {
    amqp_frame_t frame = frames.next();
    ASSERT_EQ(frame.frame_type, AMQP_FRAME_METHOD);
    EXPECT_EQ(frame.channel, channel);
    ASSERT_EQ(frame.payload.method.id, AMQP_BASIC_PUBLISH_METHOD);
    const auto& method = *static_cast<const amqp_basic_publish_t*>(frame.payload.method.decoded);
    EXPECT_EQ(from_amqp(method.routing_key), "orders");
    EXPECT_EQ(from_amqp(method.exchange), "");
    EXPECT_EQ(method.mandatory, 1);
    frame = frames.next();
    ASSERT_EQ(frame.frame_type, AMQP_FRAME_HEADER);
    EXPECT_EQ(frame.channel, channel);
    EXPECT_EQ(frame.payload.properties.body_size, body.size());
    const auto& properties = *static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded);
    EXPECT_EQ(properties._flags, AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG);
    EXPECT_EQ(from_amqp(properties.message_id), "id of " + body.substr(0, 5));
    EXPECT_EQ(properties.delivery_mode, 2);
    if (body.empty()) continue;
    frame = frames.next();
    ASSERT_EQ(frame.frame_type, AMQP_FRAME_BODY);
    EXPECT_EQ(frame.channel, channel);
    EXPECT_EQ(from_amqp(frame.payload.body_fragment), body);
  }
  EXPECT_EQ(frames.next().frame_type, 0);
}

TEST(OutgoingFramesTest, AnyBodyIsCutIntoFramesThatFit) {
  for (const std::size_t size : {frame_payload - 1, frame_payload, frame_payload + 1, 2 * frame_payload, 3'000'000UL}) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i % 251);
    OutgoingFrames outgoing(frame_max);
    ASSERT_TRUE(add(outgoing, "orders", body));
    Frames frames(written(outgoing));
    EXPECT_EQ(frames.next().frame_type, AMQP_FRAME_METHOD);
    EXPECT_EQ(frames.next().frame_type, AMQP_FRAME_HEADER);
    std::string arrived;
    for (amqp_frame_t frame = frames.next(); frame.frame_type != 0; frame = frames.next()) {
      ASSERT_EQ(frame.frame_type, AMQP_FRAME_BODY);
      arrived += from_amqp(frame.payload.body_fragment);
    }
    EXPECT_TRUE(arrived == body) << size;
    EXPECT_TRUE(outgoing.empty());
    EXPECT_FALSE(outgoing.is_writing(channel));
  }
}

TEST(OutgoingFramesTest, OtherChannelsGoBetweenTheFramesOfABody) {
  const std::string body(3 * frame_payload, 'x');
  OutgoingFrames outgoing(frame_max);
  ASSERT_TRUE(add(outgoing, "orders", body));
  std::string bytes = written(outgoing, 1'000);
  EXPECT_TRUE(outgoing.is_writing(channel));
  EXPECT_EQ(outgoing.room_for(channel, 10), Room::not_behind_the_body);
  EXPECT_EQ(outgoing.room_for(other_channel, 1'000'000), Room::not_behind_the_body) << "one body at a time";
  ASSERT_TRUE(add_channel_open(outgoing, other_channel));
  bytes += written(outgoing, frame_max);
  ASSERT_EQ(outgoing.room_for(other_channel, 1'000), Room::yes);
  amqp_channel_close_ok_t close_ok{};
  ASSERT_TRUE(outgoing.add_method(other_channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok));
  bytes += written(outgoing);
  const std::string part = "body 7 " + std::to_string(frame_payload);
  EXPECT_EQ(Frames(bytes).names(), (Names{"publish 7", "header 7", part, "AMQP_CHANNEL_OPEN_METHOD 8", part,
                                          "AMQP_CHANNEL_CLOSE_OK_METHOD 8", part}));
}

TEST(OutgoingFramesTest, ASmallMessageGoesBetweenTheFramesOfABody) {
  const std::string body(3 * frame_payload, 'x');
  OutgoingFrames outgoing(frame_max);
  ASSERT_TRUE(add(outgoing, "orders", body));
  ASSERT_EQ(outgoing.room_for(other_channel, 1'000), Room::yes);
  ASSERT_TRUE(add(outgoing, "mails", "small", "id", other_channel));
  EXPECT_TRUE(outgoing.is_writing(channel)) << "the large one goes on";
  const std::string part = "body 7 " + std::to_string(frame_payload);
  EXPECT_EQ(Frames(written(outgoing)).names(),
            (Names{"publish 7", "header 7", part, "publish 8", "header 8", "body 8 5", part, part}));
}

TEST(OutgoingFramesTest, HasRoomForAStepOfSmallMessages) {
  OutgoingFrames outgoing(frame_max);
  EXPECT_EQ(outgoing.room_for(channel, 1'000'000'000), Room::yes) << "of an empty one";
  std::size_t messages = 0;
  for (; outgoing.room_for(channel, 1'000) == Room::yes; ++messages) {
    ASSERT_TRUE(add(outgoing, "orders", std::string(930, 'x')));
  }
  EXPECT_NEAR(static_cast<double>(messages), OutgoingFrames::step / 1'000.0, 2);
  EXPECT_EQ(outgoing.room_for(other_channel, 1'000), Room::none);
  const std::string bytes = written(outgoing, 2'000);
  EXPECT_EQ(outgoing.room_for(other_channel, 1'000), Room::yes);
  EXPECT_EQ(Frames(bytes + written(outgoing)).names().size(), 3 * messages);
}

TEST(OutgoingFramesTest, AChannelThatIsClosedGetsNoMoreOfABody) {
  const std::string body(3 * frame_payload, 'x');
  OutgoingFrames outgoing(frame_max);
  ASSERT_TRUE(add(outgoing, "orders", body));
  std::string bytes = written(outgoing, 1'000);
  amqp_channel_close_ok_t close_ok{};
  ASSERT_TRUE(outgoing.add_method(channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok));
  EXPECT_FALSE(outgoing.is_writing(channel));
  bytes += written(outgoing);
  EXPECT_EQ(Frames(bytes).names(), (Names{"publish 7", "header 7", "body 7 " + std::to_string(frame_payload),
                                          "AMQP_CHANNEL_CLOSE_OK_METHOD 7"}));
}

TEST(OutgoingFramesTest, WritesHeartbeats) {
  OutgoingFrames outgoing(frame_max);
  outgoing.add_heartbeat();
  EXPECT_EQ(written(outgoing), std::string("\x08\0\0\0\0\0\0\xCE", 8));
}

TEST(OutgoingFramesTest, WhatDoesNotFitChangesNothing) {
  OutgoingFrames outgoing(4'096);
  ASSERT_TRUE(add(outgoing, "orders", "x"));
  EXPECT_FALSE(add(outgoing, "orders", "y", std::string(2'000, 'i'))) << "longer than an id may be";
  amqp_table_entry_t argument = text_entry("x-argument", "");
  const std::string value(4'096, 'v');
  argument.value.value.bytes = to_amqp(value);
  amqp_queue_declare_t declare{};
  declare.arguments = {1, &argument};
  EXPECT_FALSE(outgoing.add_method(1, AMQP_QUEUE_DECLARE_METHOD, &declare));
  argument.value.value.bytes = to_amqp(std::string_view(value).substr(0, 4'000));
  EXPECT_TRUE(outgoing.add_method(1, AMQP_QUEUE_DECLARE_METHOD, &declare));
  EXPECT_EQ(Frames(written(outgoing)).names(),
            (Names{"publish 7", "header 7", "body 7 1", "AMQP_QUEUE_DECLARE_METHOD 1"}));
}

}  // namespace
}  // namespace action_triggers::detail
